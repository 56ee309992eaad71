import { RetryableError } from '../../../runtime/errors.ts'
import type { LeaderEpochEnd } from '../../../runtime/log/log.ts'
import { protocolErrorName } from '../protocol/errorNames.ts'
import type { Place } from './fetch.ts'
import { apiKeys, Encoder, type KafkajsBroker } from './internals.ts'

/** OffsetForLeaderEpoch v2 (Kafka 2.1), which kafkajs does not have: https://kafka.apache.org/protocol#The_Messages_OffsetForLeaderEpoch */
const VERSION = 2
const ANY_CURRENT_EPOCH = -1
const UNDEFINED_EPOCH = -1

/** Where the records of a leader epoch end now, by the partition's leader; null where the broker does not know the epoch, or the question. */
export async function readEndOfEpoch(
  leader: KafkajsBroker,
  { topic, partition }: Place,
  leaderEpoch: number,
): Promise<LeaderEpochEnd | null> {
  const supported = leader.versions?.[apiKeys.OffsetForLeaderEpoch]
  if (supported === undefined || supported.minVersion > VERSION || supported.maxVersion < VERSION) return null
  const request = {
    apiKey: apiKeys.OffsetForLeaderEpoch,
    apiVersion: VERSION,
    apiName: 'OffsetForLeaderEpoch',
    encode: async () => {
      const encoder = new Encoder()
      encoder.writeBufferInternal(encodeRequest(topic, partition, leaderEpoch))
      return encoder
    },
  }
  const response = { decode: async (bytes: Buffer) => decodeResponse(bytes), parse: async (data: unknown) => data }
  const { errorCode, ...found } = (await leader.connectionPool.send({ request, response })) as Answer
  if (errorCode !== 0) {
    throw new RetryableError(
      `Kafka: could not look for the end of leader epoch ${leaderEpoch} in ${topic}/${partition}: ${protocolErrorName(errorCode)}. It is tried again.`,
      { topic, partition },
    )
  }
  return found.leaderEpoch === UNDEFINED_EPOCH ? null : { leaderEpoch: found.leaderEpoch, end: found.end }
}

type Answer = ReturnType<typeof decodeResponse>

function encodeRequest(topic: string, partition: number, leaderEpoch: number): Buffer {
  const name = Buffer.from(topic)
  const bytes = Buffer.alloc(4 + 2 + name.length + 4 + 12)
  let at = bytes.writeInt32BE(1)
  at = bytes.writeInt16BE(name.length, at)
  at += name.copy(bytes, at)
  at = bytes.writeInt32BE(1, at)
  at = bytes.writeInt32BE(partition, at)
  at = bytes.writeInt32BE(ANY_CURRENT_EPOCH, at)
  bytes.writeInt32BE(leaderEpoch, at)
  return bytes
}

/** Of one topic and partition. */
function decodeResponse(bytes: Buffer) {
  const clientSideThrottleTime = bytes.readInt32BE(0)
  const nameLength = bytes.readInt16BE(8)
  const at = 10 + nameLength + 4
  return {
    clientSideThrottleTime,
    errorCode: bytes.readInt16BE(at),
    leaderEpoch: bytes.readInt32BE(at + 6),
    end: Number(bytes.readBigInt64BE(at + 10)),
  }
}
