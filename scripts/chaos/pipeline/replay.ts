import { outletPlanOf } from '../../../src/host/outletPlan.ts'
import { prepareDatabase } from '../../../src/host/prepareDatabase.ts'
import { systemClock } from '../../../src/runtime/clock.ts'
import type { Delivery } from '../../../src/runtime/log/destination.ts'
import type { LogSource } from '../../../src/runtime/log/log.ts'
import type { MessageTarget, Outlet } from '../../../src/runtime/pipeline/outlet.ts'
import type { Pipeline } from '../../../src/runtime/pipeline/pipeline.ts'
import type { CheckpointStore } from '../../../src/runtime/store/checkpoint.ts'
import { Worker } from '../../../src/runtime/worker/worker.ts'
import { rawArchive } from '../../../src/sinks/archive/rawArchive.ts'
import { PostgresCheckpointStore } from '../../../src/sinks/postgres/checkpointStore.ts'
import type { PostgresAddress } from '../../../src/sinks/postgres/connection.ts'
import { MemoryObjectStore } from '../../../src/testing/memoryObjectStore.ts'

/** A message that was decided on: under which id, by which outlet of which task. */
export interface Decided extends Delivery {
  readonly outlet: string
  readonly partition: number
}

/** What a replay has made besides rows. */
export interface Replay {
  readonly messages: readonly Decided[]
  /** Of the outlets that send messages: to whom they do when it is no replay. */
  readonly targets: ReadonlyMap<string, MessageTarget>
  readonly objects: ReadonlyMap<string, Buffer>
}

export interface ReplayOptions {
  readonly pipeline: Pipeline
  /** The logs that were read, the leading one first. */
  readonly sources: readonly LogSource[]
  readonly address: PostgresAddress
  /** Where the run is that is repeated. */
  readonly recorded: string
  /** Where rows, dead letters and state of the replay go. */
  readonly schema: string
}

/**
 * Runs the pipeline over the same logs, undisturbed, in the order and with the steps of time that were recorded; rows, dead letters and state go into a schema of its
 * own. What outlets would send is kept, and sent to nobody.
 */
export async function replay({ pipeline, sources, address, recorded, schema }: ReplayOptions): Promise<Replay> {
  await prepareDatabase(address, schema, outletPlanOf(pipeline).tables)
  const messages: Decided[] = []
  const targets = new Map<string, MessageTarget>()
  const objects = new MemoryObjectStore()
  const store = new PostgresCheckpointStore(address, { schema })
  const live = new PostgresCheckpointStore(address, { schema: recorded })
  try {
    const [source, ...others] = sources as [LogSource, ...LogSource[]]
    const worker = new Worker({
      pipeline: collecting(pipeline, targets, (message) => messages.push(message)),
      source,
      others,
      store: withRecordsOf(live, store),
      replayOf: pipeline.name,
      archive: rawArchive({ store: objects }),
      clock: systemClock,
    })
    const running = worker.run()
    worker.stop('drain-and-close')
    await running
  } finally {
    await store.close()
    await live.close()
  }
  return { messages, targets, objects: objects.objects }
}

/** The store with what another one holds of steps of time and of the order of the inputs. */
function withRecordsOf(recorded: CheckpointStore, store: CheckpointStore): CheckpointStore {
  return {
    claim: (...asked) => store.claim(...asked),
    commit: (...asked) => store.commit(...asked),
    recordedSteps: (...asked) => recorded.recordedSteps(...asked),
    mergeNotes: (...asked) => recorded.mergeNotes(...asked),
    answers: (...asked) => recorded.answers(...asked),
    outbox: store.outbox,
    close: () => store.close(),
  }
}

/** The pipeline with messages that go to the collector, whoever takes them otherwise. */
function collecting(
  pipeline: Pipeline,
  targets: Map<string, MessageTarget>,
  collect: (message: Decided) => void,
): Pipeline {
  const collected = (outlet: string, end: Outlet<unknown>): Outlet<unknown> => {
    if (end.kind !== 'messages') return end
    targets.set(outlet, end.to)
    const open = () => {
      let partition = -1
      return {
        // `pipeline/topic/partition/outlet`
        claim: async (part: string) => {
          partition = Number(part.split('/')[2])
          return null
        },
        send: async (messages: readonly Delivery[]) => {
          for (const message of messages) collect({ ...message, outlet, partition })
        },
        close: async () => {},
      }
    }
    return { ...end, to: { kind: 'destination', name: 'collector', open } }
  }
  return {
    ...pipeline,
    build: (streams) =>
      Object.fromEntries(Object.entries(pipeline.build(streams)).map(([name, end]) => [name, collected(name, end)])),
  }
}
