import { encodeRecordBatch } from '../../src/sources/recordBatch/encode.ts'
import type { Random } from '../../src/testing/random.ts'
import { KafkaTopic } from '../../test/support/kafkaTopic.ts'
import { packed } from './batches.ts'
import { drawRecord } from './records.ts'
import type { Round, RoundPlace } from './round.ts'
import { driveUntilDone } from './untilDone.ts'
import { type PlacedRecord, verify } from './verify.ts'

const pipeline = new URL('./pipeline.ts', import.meta.url).pathname
const mostBytes = 4 << 20

/** Batches of all codecs, bombs among them, in a topic of a real broker, under a run of the real command with either client. */
export async function kafkaRound(random: Random, place: RoundPlace, brokers: readonly string[]): Promise<Round> {
  const { pool, schema } = place
  const topic = await KafkaTopic.create(brokers)
  try {
    const records: PlacedRecord[] = []
    let offset = 0
    let id = 0
    for (let left = random.int(5, 25); left > 0; left--) {
      const isBomb = random.chance(0.05)
      const drawn = isBomb
        ? [
            {
              record: { timestamp: 1, key: null, value: Buffer.alloc(random.int(65, 200) << 20) },
              kind: 'bomb',
              soundId: null,
            },
          ]
        : Array.from({ length: random.int(1, 8) }, () => drawRecord(random, id++, { mostBytes: mostBytes / 8 }))
      const plain = encodeRecordBatch(
        0,
        drawn.map(({ record }) => record),
      )
      const bytes = isBomb || random.chance(0.6) ? smallest(plain, random) : plain
      if (bytes.length > 2 * mostBytes - 1_000) continue
      await topic.produce(0, bytes)
      for (const [i, one] of drawn.entries()) records.push({ ...one, offset: offset + i, isInBroken: isBomb })
      offset += drawn.length
    }
    const env = { ...place.env, KAFKA_BROKERS: brokers.join(','), KAFKA_CLIENT: random.pick(['wire', 'kafkajs']) }
    const args = ['run', pipeline, '--topic', topic.name, '--until-end', '--schema', schema, '--group', topic.name]
    const { problems, skipped, ...driven } = await driveUntilDone(args, { ...place, env }, (from) => from + 1)
    const found = problems.length > 0 ? problems : await verify(pool, topic.name, records, skipped)
    return {
      ...driven,
      records: records.length,
      skipped: skipped.length,
      problems: found.map((line) => `${env.KAFKA_CLIENT}: ${line}`),
    }
  } finally {
    await topic.delete()
    await topic.close()
  }
}

/** Of what hardly shrinks the broker takes no more than it takes unpacked. */
function smallest(plain: Buffer, random: Random): Buffer {
  for (let tries = 0; tries < 20; tries++) {
    const bytes = packed(plain, random)
    if (bytes.length <= mostBytes) return bytes
  }
  return plain
}
