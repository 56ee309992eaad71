import { afterEach, expect, test, vi } from 'vitest'
import { z } from 'zod'
import { jsonCodec } from '../../../src/codecs/jsonCodec.ts'
import { aggregateWindow } from '../../../src/operators/aggregateWindow.ts'
import { decode } from '../../../src/operators/decode.ts'
import { dedupe } from '../../../src/operators/dedupe.ts'
import { eventTime } from '../../../src/operators/eventTime.ts'
import { tumblingWindow } from '../../../src/operators/tumblingWindow.ts'
import { field } from '../../../src/runtime/field.ts'
import { definePipeline } from '../../../src/runtime/pipeline/pipeline.ts'
import type { AppendTable } from '../../../src/runtime/store/table.ts'
import { toPostgres } from '../../../src/sinks/toPostgres.ts'
import { encodeRecordBatch } from '../../../src/sources/recordBatch/encode.ts'
import { Random } from '../../../src/testing/random.ts'
import { countTaken, run } from './runCuts.ts'

const schema = z.object({ key: z.string().toUpperCase(), id: z.int(), at: z.int() })
const lists: AppendTable<string> = {
  mode: 'append',
  name: 'list',
  columns: [{ name: 'list', type: 'text', of: (list) => list }],
}

const pipeline = definePipeline({
  name: 'spelled',
  build: (records) => ({
    lists: toPostgres(
      records.pipe(
        decode(jsonCodec(schema)),
        eventTime({ of: field('at'), maxOutOfOrdernessMs: 50 }),
        dedupe({ by: field('key'), id: field('id'), ids: 'ranges', ttlMs: 2_000 }),
        tumblingWindow({ name: 'w', sizeMs: 500, by: field('key') }),
        aggregateWindow({
          name: 'list',
          initial: (): readonly number[] => [],
          add: (ids, { id }) => [...ids, id],
          result: (ids, { key }) => `${key} ${ids.join()}`,
        }),
      ),
      lists,
    ),
  }),
})

/** Ids of a few keys, each under two spellings, some of them twice. */
function bytesOf(seed: number): Buffer {
  const random = new Random(`spelled ${seed}`)
  const next = new Map<string, number>()
  const records = Array.from({ length: 2_000 }, (_, i) => {
    const key = random.pick(['k', 'l', 'm'])
    const id = (next.get(key) ?? 0) + (random.chance(0.3) ? 0 : 1)
    next.set(key, id)
    const value = { key: random.chance(0.5) ? key : key.toUpperCase(), id, at: 1_000_000 + i }
    return { timestamp: 0, key: null, value: Buffer.from(JSON.stringify(value)), headers: [] }
  })
  return encodeRecordBatch(0, records)
}

afterEach(() => {
  vi.restoreAllMocks()
})

test.each([1, 2, 3])('an id is passed once under all spellings of a key, in spans as one by one, seed %s', (seed) => {
  const taken = countTaken()
  const bytes = bytesOf(seed)
  expect(run(pipeline, bytes, 512, 500)).toStrictEqual(run(pipeline, bytes, 1, 500))
  expect(taken()).toBeGreaterThan(1_000)
})
