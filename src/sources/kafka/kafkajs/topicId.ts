import { apiKeys, Encoder, type KafkajsBroker } from './internals.ts'

/** Topic ids came with version 10 (Kafka 2.8, KIP-516); kafkajs stops at 6. */
const METADATA_VERSION = 10
const UNKNOWN_TOPIC = 3

/**
 * The id that a topic keeps until it is deleted, `'deleted'` where there is none of this name, or null when the broker does not say.
 */
export async function readTopicId(broker: KafkajsBroker, topic: string): Promise<string | 'deleted' | null> {
  const supported = broker.versions?.[apiKeys.Metadata]
  if (supported === undefined || supported.maxVersion < METADATA_VERSION) return null
  const request = {
    apiKey: apiKeys.Metadata,
    apiVersion: METADATA_VERSION,
    apiName: 'Metadata',
    encode: async () => {
      const encoder = new Encoder()
      encoder.writeBufferInternal(encodeRequest(topic))
      return encoder
    },
  }
  const response = { decode: async (bytes: Buffer) => decodeResponse(bytes), parse: async (data: unknown) => data }
  const { topicId } = (await broker.connectionPool.send({ request, response })) as ReturnType<typeof decodeResponse>
  return topicId
}

/** The end of a flexible request header, the topic by name without an id, three flags, and no tagged fields anywhere. */
function encodeRequest(topic: string): Buffer {
  const name = Buffer.from(topic)
  const noId = Buffer.alloc(16)
  return Buffer.concat([Buffer.of(0, 2), noId, unsignedVarint(name.length + 1), name, Buffer.of(0, 0, 0, 0, 0)])
}

/** As far as the id of the first topic. */
function decodeResponse(bytes: Buffer): {
  readonly topicId: string | 'deleted' | null
  clientSideThrottleTime: number
} {
  let at = 0
  const varint = () => {
    let value = 0
    for (let shift = 0; ; shift += 7) {
      const byte = bytes.readUInt8(at++)
      value |= (byte & 0x7f) << shift
      if (byte < 0x80) return value
    }
  }
  const skipText = () => {
    const length = varint() - 1
    at += Math.max(0, length)
  }
  const skipTags = () => {
    for (let left = varint(); left > 0; left--) {
      varint()
      const length = varint()
      at += length
    }
  }
  skipTags()
  const clientSideThrottleTime = bytes.readInt32BE(at)
  at += 4
  for (let brokers = varint() - 1; brokers > 0; brokers--) {
    at += 4
    skipText()
    at += 4
    skipText()
    skipTags()
  }
  skipText()
  at += 4
  if (varint() - 1 < 1) return { topicId: null, clientSideThrottleTime }
  const errorCode = bytes.readInt16BE(at)
  at += 2
  skipText()
  if (errorCode === UNKNOWN_TOPIC) return { topicId: 'deleted', clientSideThrottleTime }
  const id = bytes.toString('hex', at, at + 16)
  return { topicId: errorCode === 0 || !/^0*$/.test(id) ? id : null, clientSideThrottleTime }
}

function unsignedVarint(value: number): Buffer {
  return value < 0x80 ? Buffer.of(value) : Buffer.of((value & 0x7f) | 0x80, value >>> 7)
}
