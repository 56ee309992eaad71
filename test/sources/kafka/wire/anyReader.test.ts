import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { LogSource } from '../../../../src/runtime/log/log.ts'
import { kafkaSettings } from '../../../../src/sources/kafka/kafkaSettings.ts'
import { openWireLog } from '../../../../src/sources/kafka/wire/wireLog.ts'
import { encodeRecordBatch } from '../../../../src/sources/recordBatch/encode.ts'
import { hasKafka, kafkaTitle, type SharedBroker, sharedBroker } from '../../../support/kafkaBroker.ts'
import { KafkaTopic } from '../../../support/kafkaTopic.ts'
import { CODECS, compressed, readAll, type SeenRecord } from '../../../support/recordBatches.ts'

const RECORDS = 4_000
const UNREAD = { maxBytes: 1 << 20, maxWaitMs: 0 }

/** What somebody may do with a reader. */
const step = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({ kind: fc.constant('fetch' as const), maxBytes: fc.constantFrom(1, 700, 5_000, 1 << 20) }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('seek' as const), offset: fc.nat(RECORDS) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('abort' as const), afterTurns: fc.nat(3) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('append' as const) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('pause' as const), ms: fc.nat(5) }) },
)

let kafka: SharedBroker
let topic: KafkaTopic
let source: LogSource
const truth: SeenRecord[] = []

describe.skipIf(!hasKafka)(kafkaTitle('a reader, whatever is done with it'), () => {
  beforeAll(async () => {
    kafka = await sharedBroker()
    topic = await KafkaTopic.create(kafka.brokers)
    while (truth.length < RECORDS) await append(1 + ((truth.length * 7) % 90))
    source = await openWireLog(kafkaSettings({ brokers: [...kafka.brokers] }), { topic: topic.name, group: 'any' })
  }, 180_000)

  afterAll(async () => {
    await source?.close()
    await topic?.close()
    await kafka?.close()
  })

  test('gives the records from where it stands on, in order, each once, and comes to the end', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 30 }), async (steps) => {
        const reader = source.reader(0)
        let at = 0
        const take = async (options: { maxBytes: number; maxWaitMs: number; signal?: AbortSignal }) => {
          const batch = await reader.fetch(options)
          if (batch === null) return false
          const seen = readAll(batch)
          expect(seen).toEqual(truth.slice(at, batch.nextOffset))
          at = batch.nextOffset
          return true
        }
        for (const action of steps) {
          if (action.kind === 'fetch') await take({ maxBytes: action.maxBytes, maxWaitMs: 0 })
          else if (action.kind === 'append') await append(3)
          else if (action.kind === 'pause') await new Promise((resolve) => setTimeout(resolve, action.ms))
          else if (action.kind === 'seek') {
            at = action.offset
            reader.seek(at)
          } else {
            const abort = new AbortController()
            const taking = take({ maxBytes: 2_000, maxWaitMs: 60_000, signal: abort.signal })
            for (let turn = 0; turn < action.afterTurns; turn++) await new Promise(setImmediate)
            abort.abort()
            await taking
          }
        }
        while (await take(UNREAD));
        expect(at).toBe(truth.length)
        await reader.close()
      }),
      { numRuns: 60 },
    )
  }, 120_000)
})

/** One batch of records, in the next codec or in none. */
async function append(count: number): Promise<void> {
  const from = truth.length
  const records = Array.from({ length: count }, (_, index) => ({
    timestamp: 1_700_000_000_000 + from + index,
    key: (from + index) % 3 === 0 ? null : Buffer.from(`key ${from + index}`),
    value: Buffer.from(`value ${from + index}`),
  }))
  const plain = encodeRecordBatch(0, records)
  const codec = CODECS[from % (CODECS.length + 1)]
  await topic.produce(0, codec === undefined ? plain : compressed(plain, codec.code, codec.pack))
  const hex = (bytes: Buffer | null) => (bytes === null ? null : bytes.toString('hex'))
  for (const [index, { timestamp, key, value }] of records.entries()) {
    truth.push({ offset: from + index, timestamp, key: hex(key), value: hex(value) })
  }
}
