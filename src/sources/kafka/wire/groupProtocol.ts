/**
 * The bytes that members of a consumer group tell each other through the coordinator.
 *
 * Source: clients/src/main/resources/common/message/ConsumerProtocolSubscription.json and ConsumerProtocolAssignment.json of Apache
 * Kafka. The tools that come with it read them, so a group of ours is described like any other.
 */

/** The type under which Kafka's own tools know groups that read topics. */
export const PROTOCOL_TYPE = 'consumer'
/** Not Kafka's own: members with another way of sharing are refused by the coordinator instead of mixed in. */
export const PROTOCOL_NAME = 'millrace-sticky'

const SUBSCRIPTION_VERSION = 1
const ASSIGNMENT_VERSION = 0
/** Of the number of partitions, which members tell each other in the bytes that the protocol leaves to them. */
const COUNT_BYTES = 4

/**
 * What a member brings when it joins: its topic, the partitions that it works on and has not let go, and how many it knows the topic to have. The coordinator shares anew
 * when what a member brings has changed, so one that has seen the topic grow says it by joining again.
 */
export function encodeSubscription(topic: string, owned: readonly number[], partitionCount: number): Buffer {
  return Buffer.concat([
    int16(SUBSCRIPTION_VERSION),
    int32(1),
    text(topic),
    countBytes(partitionCount),
    topicPartitions(topic, owned),
  ])
}

/** The partitions of `topic` that a member owns, by its subscription. */
export function ownedPartitions(subscription: Buffer, topic: string): number[] {
  const reader = new BytesReader(subscription)
  const version = reader.int16()
  for (let topics = reader.int32(); topics > 0; topics--) reader.text()
  reader.skipBytes()
  return version < 1 ? [] : readTopicPartitions(reader, topic)
}

/** @param partitionCount of all that were shared out, so that each member knows when there are more */
export function encodeAssignment(topic: string, partitions: readonly number[], partitionCount: number): Buffer {
  return Buffer.concat([int16(ASSIGNMENT_VERSION), topicPartitions(topic, partitions), countBytes(partitionCount)])
}

/** The partitions of `topic` in an assignment. A member without any may be sent no bytes at all. */
export function assignedPartitions(assignment: Buffer, topic: string): number[] {
  if (assignment.length === 0) return []
  const reader = new BytesReader(assignment)
  reader.int16()
  return readTopicPartitions(reader, topic)
}

/** How many partitions the leader has shared out, or null where it did not say: leaders of earlier releases did not. */
export function sharedPartitionCount(assignment: Buffer): number | null {
  if (assignment.length === 0) return null
  const reader = new BytesReader(assignment)
  reader.int16()
  for (let topics = reader.int32(); topics > 0; topics--) {
    reader.text()
    for (let count = reader.int32(); count > 0; count--) reader.int32()
  }
  return reader.int32() === COUNT_BYTES ? reader.int32() : null
}

function countBytes(partitionCount: number): Buffer {
  return Buffer.concat([int32(COUNT_BYTES), int32(partitionCount)])
}

function topicPartitions(topic: string, partitions: readonly number[]): Buffer {
  if (partitions.length === 0) return int32(0)
  return Buffer.concat([int32(1), text(topic), int32(partitions.length), ...partitions.map(int32)])
}

function readTopicPartitions(reader: BytesReader, topic: string): number[] {
  const found: number[] = []
  for (let topics = reader.int32(); topics > 0; topics--) {
    const name = reader.text()
    for (let count = reader.int32(); count > 0; count--) {
      const partition = reader.int32()
      if (name === topic) found.push(partition)
    }
  }
  return found.sort((left, right) => left - right)
}

function int16(value: number): Buffer {
  const bytes = Buffer.alloc(2)
  bytes.writeInt16BE(value)
  return bytes
}

function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeInt32BE(value)
  return bytes
}

function text(value: string): Buffer {
  const bytes = Buffer.from(value)
  return Buffer.concat([int16(bytes.length), bytes])
}

class BytesReader {
  readonly #bytes: Buffer
  #at = 0

  constructor(bytes: Buffer) {
    this.#bytes = bytes
  }

  int16(): number {
    this.#at += 2
    return this.#bytes.readInt16BE(this.#at - 2)
  }

  int32(): number {
    this.#at += 4
    return this.#bytes.readInt32BE(this.#at - 4)
  }

  text(): string {
    const length = this.int16()
    this.#at += length
    return this.#bytes.toString('utf8', this.#at - length, this.#at)
  }

  skipBytes(): void {
    const length = this.int32()
    this.#at += Math.max(0, length)
  }
}
