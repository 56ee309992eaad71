import type { Clock } from '../../runtime/clock.ts'
import type { Delivery, Destination } from '../../runtime/log/destination.ts'
import type { OutgoingTopic } from '../../runtime/log/log.ts'
import { RecordView } from '../../runtime/log/record.ts'
import type { CheckpointStore, TaskId } from '../../runtime/store/checkpoint.ts'
import { MemoryLog } from '../memoryLog.ts'
import { text } from './lineText.ts'

const topicPartitions = 2
const mostBytes = 1 << 30

/** Where the outlets of a simulation send to: topics, and destinations that keep no place. They outlive all processes. */
export class Receivers {
  /** What a destination got that it should not have. */
  readonly violations: string[] = []
  /** How many messages came to a destination once more. */
  repeats = 0
  readonly #clock: Clock
  readonly #topics = new Map<string, MemoryLog>()
  /** By name of the destination, the messages by their ids. */
  readonly #taken = new Map<string, Map<string, string>>()
  /** By outlet of a task, how many messages checkpoints have stored. */
  readonly #decided = new Map<string, number>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** The store, which is listened to: what it has not stored may not be sent. */
  listeningTo(store: CheckpointStore): CheckpointStore {
    return {
      claim: (...asked) => store.claim(...asked),
      commit: async (claim, checkpoint) => {
        await store.commit(claim, checkpoint)
        for (const { outlet, messages } of checkpoint.messages ?? [])
          this.#decided.set(partOf(claim.task, outlet), messages.at(-1)?.sequence ?? 0)
      },
      recordedSteps: (...asked) => store.recordedSteps(...asked),
      mergeNotes: (...asked) => store.mergeNotes(...asked),
      answers: (...asked) => store.answers(...asked),
      outbox: store.outbox,
      close: () => store.close(),
    }
  }

  topic(name: string): OutgoingTopic {
    const log =
      this.#topics.get(name) ?? new MemoryLog({ topic: name, partitions: topicPartitions, clock: this.#clock })
    this.#topics.set(name, log)
    return log.outgoing()
  }

  /** A destination that keeps no place, so that messages may come to it more than once. */
  destination(name: string, maxMessages?: number): Destination {
    return {
      ...(maxMessages === undefined ? {} : { maxMessages }),
      claim: async () => null,
      send: async (messages) => {
        for (const message of messages) this.#take(name, message)
      },
      close: async () => undefined,
    }
  }

  /** Lines of what each has got: a topic in its order, partition by partition, a destination by ids. */
  async received(): Promise<ReadonlyMap<string, readonly string[]>> {
    const received = new Map<string, readonly string[]>()
    for (const [name, log] of [...this.#topics].sort(byName)) received.set(`topic ${name}`, await linesOf(log))
    for (const [name, taken] of [...this.#taken].sort(byName)) received.set(`outside ${name}`, [...taken.values()])
    return received
  }

  #take(name: string, { id, time, key, value, headers = [] }: Delivery): void {
    const at = id.lastIndexOf('/')
    const sequence = Number(id.slice(at + 1))
    const taken = this.#taken.get(name) ?? new Map<string, string>()
    this.#taken.set(name, taken)
    const line = text({ id, time, key, value, headers })
    const before = taken.get(id)
    if (sequence > (this.#decided.get(id.slice(0, at)) ?? 0))
      this.violations.push(`${id} was sent before it was committed`)
    if (before === undefined) taken.set(id, line)
    else if (before !== line) this.violations.push(`${id} was sent as ${before} and as ${line}`)
    else this.repeats += 1
  }
}

async function linesOf(log: MemoryLog): Promise<readonly string[]> {
  const lines: string[] = []
  for (const partition of await log.partitions()) {
    const reader = log.reader(partition)
    const batch = await reader.fetch({ maxBytes: mostBytes, maxWaitMs: 0 })
    for (const view = new RecordView(); batch?.read(view) === true; ) {
      lines.push(
        text({
          partition,
          time: view.timestamp,
          key: view.keyCopy(),
          value: view.valueCopy(),
          headers: view.headers(),
        }),
      )
    }
  }
  return lines
}

function partOf({ pipeline, topic, partition }: TaskId, outlet: string): string {
  return `${pipeline}/${topic}/${partition}/${outlet}`
}

function byName([a]: readonly [string, unknown], [b]: readonly [string, unknown]): number {
  return a < b ? -1 : 1
}
