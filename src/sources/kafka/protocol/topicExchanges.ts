import { type Exchange, flexible } from './exchange.ts'
import { Refusals, requireNone } from './refusal.ts'

const CONSUMER = -1

/** One partition, asked of its leader. */
export interface PartitionQuestion {
  readonly topic: string
  readonly partition: number
  /** The epoch that the leader is taken to lead in. */
  readonly leaderEpoch: number
}

interface ApiVersions {
  readonly key: number
  readonly least: number
  readonly most: number
}

/** ApiVersions, since Kafka 2.4: what the broker takes. */
export const apiVersions: Exchange<{ readonly software: string; readonly version: string }, readonly ApiVersions[]> = {
  key: 18,
  version: 3,
  tagged: { request: true, answer: false },
  write: (writer, { software, version }) => writer.text(software).text(version).end(),
  read(reader) {
    requireNone(reader.int16())
    const versions = reader.list(() => {
      const one = { key: reader.int16(), least: reader.int16(), most: reader.int16() }
      reader.end()
      return one
    })
    reader.int32()
    reader.end()
    return versions
  },
}

export interface TopicMetadata {
  readonly brokers: readonly { readonly nodeId: number; readonly host: string; readonly port: number }[]
  /** Of the topic, 0 for none: a partition without a leader is no reason to forget the others. */
  readonly errorCode: number
  readonly topicId: string
  readonly partitions: readonly {
    readonly partition: number
    readonly leaderId: number
    readonly leaderEpoch: number
  }[]
}

/** Metadata of one topic by its name, which is not made by that; since Kafka 3.1. */
export const topicMetadata: Exchange<string, TopicMetadata> = {
  key: 3,
  version: 12,
  tagged: flexible,
  write: (writer, topic) =>
    writer
      .list([topic], (name) => writer.uuid(null).text(name).end())
      .boolean(false)
      .boolean(false)
      .end(),
  read(reader) {
    reader.int32()
    const brokers = reader.list(() => {
      const broker = { nodeId: reader.int32(), host: reader.text(), port: reader.int32() }
      reader.textOrNull()
      reader.end()
      return broker
    })
    reader.textOrNull()
    reader.int32()
    const topics = reader.list(() => {
      const errorCode = reader.int16()
      reader.textOrNull()
      const topicId = reader.uuid()
      reader.boolean()
      const partitions = reader.list(() => {
        reader.int16()
        const one = { partition: reader.int32(), leaderId: reader.int32(), leaderEpoch: reader.int32() }
        for (let replicas = 0; replicas < 3; replicas++) reader.list(() => reader.int32())
        reader.end()
        return one
      })
      reader.int32()
      reader.end()
      return { errorCode, topicId, partitions }
    })
    reader.end()
    const [topic] = topics
    if (topic === undefined) throw new RangeError('the answer names no topic')
    return { brokers, ...topic }
  },
}

export const isolation = { uncommitted: 0, committed: 1 } as const
/** In place of a time: the first offset, and the one behind the last. */
export const offsetsAt = { earliest: -2n, latest: -1n } as const

/** ListOffsets, since Kafka 2.8: the offset of a time (ms UTC) or of an end; -1 where no record is of the time or behind it. */
export const listOffset: Exchange<
  PartitionQuestion & { readonly isolation: number; readonly timestamp: bigint },
  number
> = {
  key: 2,
  version: 7,
  tagged: flexible,
  write: (writer, { topic, partition, leaderEpoch, isolation, timestamp }) =>
    writer
      .int32(CONSUMER)
      .int8(isolation)
      .list([topic], (name) =>
        writer
          .text(name)
          .list([partition], () => writer.int32(partition).int32(leaderEpoch).int64(timestamp).end())
          .end(),
      )
      .end(),
  read(reader) {
    const refusals = new Refusals()
    reader.int32()
    const [offset] = reader
      .list(() => {
        reader.text()
        const offsets = reader.list(() => {
          reader.int32()
          refusals.note(reader.int16())
          reader.int64()
          const one = Number(reader.int64())
          reader.int32()
          reader.end()
          return one
        })
        reader.end()
        return offsets
      })
      .flat()
    refusals.check()
    if (offset === undefined) throw new RangeError('the answer names no offset')
    return offset
  },
}

/** OffsetForLeaderEpoch, since Kafka 2.8: the largest epoch that is not above the one asked for, -1 for none, and where its records end. */
export const epochEnd: Exchange<
  PartitionQuestion & { readonly epoch: number },
  { readonly leaderEpoch: number; readonly end: number }
> = {
  key: 23,
  version: 4,
  tagged: flexible,
  write: (writer, { topic, partition, leaderEpoch, epoch }) =>
    writer
      .int32(CONSUMER)
      .list([topic], (name) =>
        writer
          .text(name)
          .list([partition], () => writer.int32(partition).int32(leaderEpoch).int32(epoch).end())
          .end(),
      )
      .end(),
  read(reader) {
    const refusals = new Refusals()
    reader.int32()
    const [found] = reader
      .list(() => {
        reader.text()
        const ends = reader.list(() => {
          refusals.note(reader.int16())
          reader.int32()
          const one = { leaderEpoch: reader.int32(), end: Number(reader.int64()) }
          reader.end()
          return one
        })
        reader.end()
        return ends
      })
      .flat()
    refusals.check()
    if (found === undefined) throw new RangeError('the answer names no epoch')
    return found
  },
}

const TOPIC = 2

/** DescribeConfigs, since Kafka 2.8: settings of a topic that were asked for and that it has. */
export const topicSettings: Exchange<
  { readonly topic: string; readonly names: readonly string[] },
  ReadonlyMap<string, string | null>
> = {
  key: 32,
  version: 4,
  tagged: flexible,
  write: (writer, { topic, names }) =>
    writer
      .list([topic], () =>
        writer
          .int8(TOPIC)
          .text(topic)
          .list(names, (name) => writer.text(name))
          .end(),
      )
      .boolean(false)
      .boolean(false)
      .end(),
  read(reader) {
    const refusals = new Refusals()
    const found = new Map<string, string | null>()
    reader.int32()
    reader.list(() => {
      refusals.note(reader.int16(), reader.textOrNull())
      reader.int8()
      reader.text()
      reader.list(() => {
        found.set(reader.text(), reader.textOrNull())
        reader.boolean()
        reader.int8()
        reader.boolean()
        reader.list(() => {
          reader.text()
          reader.textOrNull()
          reader.int8()
          reader.end()
        })
        reader.int8()
        reader.textOrNull()
        reader.end()
      })
      reader.end()
    })
    reader.end()
    refusals.check()
    return found
  },
}

/** CreateTopics, since Kafka 2.8: one topic, with as many copies as the broker makes by default. */
export const createTopic: Exchange<
  {
    readonly topic: string
    readonly partitions: number
    readonly settings: Readonly<Record<string, string>>
    readonly timeoutMs: number
  },
  void
> = {
  key: 19,
  version: 7,
  tagged: flexible,
  write(writer, { topic, partitions, settings, timeoutMs }) {
    const brokerDefault = -1
    writer
      .list([topic], () =>
        writer
          .text(topic)
          .int32(partitions)
          .int16(brokerDefault)
          .list([], () => undefined)
          .list(Object.entries(settings), ([name, value]) => writer.text(name).text(value).end())
          .end(),
      )
      .int32(timeoutMs)
      .boolean(false)
      .end()
  },
  read(reader) {
    const refusals = new Refusals()
    reader.int32()
    reader.list(() => {
      reader.text()
      reader.uuid()
      refusals.note(reader.int16(), reader.textOrNull())
      reader.int32()
      reader.int16()
      reader.list(() => {
        reader.text()
        reader.textOrNull()
        reader.boolean()
        reader.int8()
        reader.boolean()
        reader.end()
      })
      reader.end()
    })
    reader.end()
    refusals.check()
  },
}
