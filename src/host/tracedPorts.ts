import { systemClock } from '../runtime/clock.ts'
import type { Destination } from '../runtime/log/destination.ts'
import type { LogReader, LogSource, LogWriter } from '../runtime/log/log.ts'
import type { Checkpoint, CheckpointStore, Claim } from '../runtime/store/checkpoint.ts'
import type { OpenedTopic } from './openedTopic.ts'
import type { Spans } from './spans.ts'

/** By the words of the semantic conventions; the embedded log has none. */
type LogSystem = 'kafka' | 'millrace'

/** The same object with some of its methods in place of its own. */
function replaced<T extends object>(target: T, methods: Partial<T>): T {
  return new Proxy(target, {
    get(of, key) {
      if (Object.hasOwn(methods, key)) return Reflect.get(methods, key)
      const value: unknown = Reflect.get(of, key, of)
      return typeof value === 'function' ? value.bind(of) : value
    },
  })
}

/** A log whose fetches are spans, where they bring something. */
export function tracedSource(spans: Spans, source: LogSource, system: LogSystem, group: string | null): LogSource {
  const { topic } = source
  return replaced(source, {
    reader: (partition) => {
      const reader = source.reader(partition)
      const fetch: LogReader['fetch'] = async (options) => {
        const startTime = systemClock.now()
        const batch = await reader.fetch(options)
        if (batch === null) return batch
        spans.past({
          name: `poll ${topic}`,
          kind: 'client',
          startTime,
          attributes: {
            ...ofTopic(system, topic, 'poll', 'receive'),
            'messaging.destination.partition.id': String(partition),
            ...(group === null ? {} : { 'messaging.consumer.group.name': group }),
            'messaging.message.body.size': batch.byteLength,
          },
        })
        return batch
      }
      return replaced(reader, { fetch })
    },
  })
}

/** A store whose commits are spans, each within one of the work that it commits: from the commit before, or the claim, on. */
export function tracedStore(spans: Spans, store: CheckpointStore, system: LogSystem): CheckpointStore {
  const since = new Map<string, { readonly at: number; readonly nextOffset: number | null }>()
  const keyOf = ({ task }: Claim) => `${task.pipeline}/${task.topic}/${task.partition}`
  return replaced(store, {
    claim: async (...args) => {
      const claim = await store.claim(...args)
      since.set(keyOf(claim), { at: systemClock.now(), nextOffset: claim.restored?.nextOffset ?? null })
      return claim
    },
    commit: (claim, checkpoint) => {
      const before = since.get(keyOf(claim)) ?? { at: systemClock.now(), nextOffset: null }
      since.set(keyOf(claim), { at: systemClock.now(), nextOffset: checkpoint.nextOffset })
      const { topic, partition, pipeline } = claim.task
      const work = {
        name: `process ${topic}`,
        kind: 'consumer',
        startTime: before.at,
        attributes: {
          ...ofTopic(system, topic, 'process', 'process'),
          'messaging.destination.partition.id': String(partition),
          'messaging.batch.message_count': checkpoint.nextOffset - (before.nextOffset ?? checkpoint.nextOffset),
          'millrace.next_offset': checkpoint.nextOffset,
          'millrace.pipeline': pipeline,
        },
      } as const
      const commit = { name: 'COMMIT', kind: 'client', attributes: ofCheckpoint(checkpoint) } as const
      return spans.during(work, () => spans.during(commit, () => store.commit(claim, checkpoint)))
    },
  })
}

/** What takes the messages of an outlet, with a span for each send. */
export function tracedDestination(spans: Spans, destination: Destination, outlet: string, claim: Claim): Destination {
  return replaced(destination, {
    send: (messages, place, signal) =>
      spans.during(
        {
          name: `send ${outlet}`,
          kind: 'producer',
          attributes: {
            'millrace.outlet': outlet,
            'millrace.pipeline': claim.task.pipeline,
            'messaging.operation.name': 'send',
            'messaging.operation.type': 'send',
            'messaging.batch.message_count': messages.length,
          },
        },
        () => destination.send(messages, place, signal),
      ),
  })
}

type OpenTopic = (topic: string) => Promise<OpenedTopic>

/** Topics whose appends are spans: of feeds, and of outlets that send to topics. As they are where nobody asks. */
export function tracedTopics(spans: Spans | null, open: OpenTopic, system: LogSystem): OpenTopic {
  return spans === null ? open : async (topic) => tracedTopic(spans, await open(topic), topic, system)
}

function tracedTopic(spans: Spans, opened: OpenedTopic, topic: string, system: LogSystem): OpenedTopic {
  const { writer } = opened
  const append: LogWriter['append'] = (records, position) =>
    spans.during(
      {
        name: `send ${topic}`,
        kind: 'producer',
        attributes: { ...ofTopic(system, topic, 'send', 'send'), 'messaging.batch.message_count': records.length },
      },
      () => writer.append(records, position),
    )
  return { ...opened, writer: replaced(writer, { append }) }
}

function ofTopic(system: LogSystem, topic: string, name: string, type: string) {
  return {
    'messaging.system': system,
    'messaging.destination.name': topic,
    'messaging.operation.name': name,
    'messaging.operation.type': type,
  }
}

function ofCheckpoint({ writes, messages = [], deadLetters }: Checkpoint) {
  return {
    'db.system.name': 'postgresql',
    'db.operation.name': 'COMMIT',
    'millrace.tables': writes.length,
    'millrace.messages': messages.reduce((sum, { messages }) => sum + messages.length, 0),
    'millrace.dead_letters': deadLetters.length,
  }
}
