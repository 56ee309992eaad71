import type { Observable } from 'rxjs'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { z } from 'zod'
import { jsonCodec } from '../../../src/codecs/jsonCodec.ts'
import { aggregateWindow } from '../../../src/operators/aggregateWindow.ts'
import { decode } from '../../../src/operators/decode.ts'
import { dedupe } from '../../../src/operators/dedupe.ts'
import { type EventTimeOptions, eventTime } from '../../../src/operators/eventTime.ts'
import { tumblingWindow } from '../../../src/operators/tumblingWindow.ts'
import { field } from '../../../src/runtime/field.ts'
import { definePipeline, type Pipeline } from '../../../src/runtime/pipeline/pipeline.ts'
import { only } from '../../../src/runtime/spans/only.ts'
import { shared } from '../../../src/runtime/spans/shared.ts'
import { together } from '../../../src/runtime/spans/together.ts'
import type { AppendTable } from '../../../src/runtime/store/table.ts'
import { toPostgres } from '../../../src/sinks/toPostgres.ts'
import { encodeRecordBatch } from '../../../src/sources/recordBatch/encode.ts'
import { Random } from '../../../src/testing/random.ts'
import { type Item, itemCodec } from '../../../src/testing/simulation/graphs/item.ts'
import { countTaken, run } from './runCuts.ts'

const results: AppendTable<unknown> = {
  mode: 'append',
  name: 'results',
  columns: [{ name: 'result', type: 'jsonb', of: (row) => JSON.stringify(row) }],
}

const keyOf = ({ key }: Item) => key
/** ms UTC. */
const lastDate = 8_640_000_000_000_000

function throwing<T>(on: number, item: Item, value: T): T {
  if (item.n === on) throw new Error(`no ${on}`)
  return value
}

/** The items of each window in the order in which they came, so that another order is another result. */
function listed(
  items: Observable<Item>,
  name: string,
  throwsOn: number,
  early?: { readonly everyMs: number },
  by: (item: Item) => string = keyOf,
  own: { readonly of?: (item: Item) => number; readonly sizeMs?: number } = {},
) {
  return items.pipe(
    tumblingWindow({
      name,
      sizeMs: 1_000,
      by: (item) => throwing(throwsOn + 1, item, by(item)),
      allowedLatenessMs: 500,
      ...own,
    }),
    aggregateWindow<Item, string[], unknown>({
      name: `${name}-list`,
      initial: () => [],
      add: (list, item) => [...list, throwing(throwsOn, item, `${item.id}@${item.at}`)],
      result: (list, { key, start }, { revision }) => ({ key, start, revision, list }),
      ...(early === undefined ? {} : { early }),
    }),
  )
}

function pipelineOf(
  name: string,
  outlets: (items: Observable<Item>) => Record<string, Observable<unknown>>,
  time: Partial<EventTimeOptions<Item>> = {},
) {
  return definePipeline({
    name,
    build: (records) => {
      const items = records.pipe(
        decode(itemCodec),
        eventTime<Item>({ of: (item) => throwing(71, item, item.at), maxOutOfOrdernessMs: 300, ...time }),
        shared,
      )
      return Object.fromEntries(
        Object.entries(outlets(items)).map(([outlet, values]) => [
          outlet,
          toPostgres(values, { ...results, name: outlet }),
        ]),
      )
    },
  })
}

const once = (items: Observable<Item>) =>
  items.pipe(dedupe<Item>({ by: keyOf, id: (item) => throwing(72, item, item.id), ids: 'ranges', ttlMs: 5_000 }))
const onceByFields = (items: Observable<Item>) =>
  items.pipe(dedupe<Item>({ by: field('key'), id: field('id'), ids: 'ranges', ttlMs: 5_000 }))
const isA = (item: Item): item is Item => item.key === '0a'
const isOther = (item: Item): item is Item => item.key !== '0a'

const pipelines: readonly Pipeline[] = [
  pipelineOf('one way'.replaceAll(' ', '-'), (items) => ({ lists: listed(once(items), 'w', 60) })),
  pipelineOf('fields'.replaceAll(' ', '-'), (items) => ({ lists: listed(onceByFields(items), 'w', 60) }), {
    of: field('at'),
  }),
  pipelineOf('two ways'.replaceAll(' ', '-'), (items) => ({
    first: listed(once(items), 'w', 60),
    second: listed(items.pipe(only(isOther)), 'v', 60),
  })),
  pipelineOf('two ways that meet'.replaceAll(' ', '-'), (items) => ({
    lists: listed(
      together(items.pipe(only(isA)), items.pipe(only((item: Item): item is Item => item.id % 2 === 0))),
      'w',
      60,
    ),
  })),
  pipelineOf('two ways that meet above a choice'.replaceAll(' ', '-'), (items) => ({
    lists: listed(
      together(items.pipe(only(isA)), items.pipe(only(isOther))).pipe(
        only((item: Item): item is Item => item.id % 5 !== 0),
      ),
      'w',
      60,
    ),
  })),
  pipelineOf('two ways that part'.replaceAll(' ', '-'), (items) => ({
    lists: listed(together(items.pipe(only(isA)), items.pipe(only(isOther))), 'w', 60),
  })),
  pipelineOf('guarded'.replaceAll(' ', '-'), (items) => ({ lists: listed(once(items), 'w', 60) }), {
    maxAdvanceMs: 500,
    isOfThePast: ({ n }) => n === 73,
  }),
  pipelineOf('keys that are no text'.replaceAll(' ', '-'), (items) => ({
    lists: listed(
      items.pipe(
        dedupe<Item>({
          by: ({ key, id }) => (id % 16 === 7 ? (id as never) : key),
          id: ({ id }) => id,
          ids: 'ranges',
          ttlMs: 5_000,
        }),
      ),
      'w',
      60,
      undefined,
      ({ key, id }) => (id % 8 === 7 ? (id as never) : key),
    ),
  })),
  pipelineOf('a time of its own that is none'.replaceAll(' ', '-'), (items) => ({
    lists: listed(once(items), 'w', 60, undefined, keyOf, { of: ({ at, n }) => (n === 30 ? at + 0.5 : at) }),
  })),
  pipelineOf('a time of its own that is no date'.replaceAll(' ', '-'), (items) => ({
    lists: listed(once(items), 'w', 60, undefined, keyOf, {
      of: ({ at, n }) => (n === 30 ? lastDate + 1 : lastDate - at),
      sizeMs: 99_999_991,
    }),
  })),
  pipelineOf('shown early'.replaceAll(' ', '-'), (items) => ({
    lists: listed(once(items), 'w', 60, { everyMs: 400 }),
  })),
]

/** Items of three keys, mostly in order: some again, some with a gap before them, late or far ahead, and some on which a callback throws. */
function batchOf(seed: number, count: number): Buffer {
  const random = new Random(`spans ${seed}`)
  const ids = [0, 0, 0]
  let at = 10_000
  const stepMs = random.pick([1, 20, 200])
  const odd = random.pick([0, 0.02, 0.2])
  const failing = random.pick([0, 0.1])
  const records = Array.from({ length: count }, () => {
    const key = random.int(0, 2)
    at += random.int(0, stepMs)
    if (!random.chance(odd)) ids[key] = (ids[key] as number) + 1
    else ids[key] = Math.max(0, (ids[key] as number) + random.pick([0, -1, 2, 3]))
    const itemAt = random.chance(odd) ? at + random.pick([-2_000, -400, 900, 50_000]) : at
    const n = random.chance(odd) ? random.pick([61, 71, 72, 73]) : random.chance(failing) ? 60 : random.int(0, 40)
    const id = (ids[key] as number) - (random.chance(odd / 4) ? 0.5 : 0)
    const item = { key: `0${'abc'[key]}`, id, at: itemAt, n, revision: 0, count: 1 }
    const text = random.chance(odd / 10) ? '{' : JSON.stringify(item)
    return { timestamp: 0, key: null, value: Buffer.from(text), headers: [] }
  })
  return encodeRecordBatch(0, records)
}

/** Items of keys that come, are busy for a while and are gone, some of them again later: ids are known for a second, so what was kept for one key is used for another. */
function passingKeys(seed: number, count: number): Buffer {
  const random = new Random(`keys ${seed}`)
  const ids = new Map<string, number>()
  let at = 10_000
  const records = Array.from({ length: count }, () => {
    at += random.int(0, 40)
    const key = `0${(Math.floor(at / 900) + random.int(0, 5)) % 9}`
    const id = (ids.get(key) ?? 0) + (random.chance(0.05) ? 0 : 1)
    ids.set(key, id)
    const item = { key, id, at: random.chance(0.05) ? at - 400 : at, n: 0, revision: 0, count: 1 }
    return { timestamp: 0, key: null, value: Buffer.from(JSON.stringify(item)), headers: [] }
  })
  return encodeRecordBatch(0, records)
}

afterEach(() => {
  vi.restoreAllMocks()
})

describe('records that are taken as spans', () => {
  for (const pipeline of pipelines) {
    it(`leave rows, letters, state and counts as records one by one do: ${pipeline.name}`, () => {
      const taken = countTaken()
      for (let seed = 0; seed < 24; seed += 1) {
        const bytes = batchOf(seed, 300)
        const oneByOne = run(pipeline, bytes, 1)
        for (const most of [3, 512])
          expect(run(pipeline, bytes, most), `seed ${seed}, ${most} ahead`).toStrictEqual(oneByOne)
      }
      expect(taken()).toBeGreaterThan(500)
    })
  }

  it('leave the same where keys go and others take their places', () => {
    const taken = countTaken()
    const short = (items: Observable<Item>) =>
      items.pipe(dedupe<Item>({ by: keyOf, id: ({ id }) => id, ids: 'ranges', ttlMs: 1_000 }))
    const pipeline = pipelineOf('passing-keys', (items) => ({ lists: listed(short(items), 'w', 60) }))
    for (let seed = 0; seed < 12; seed += 1) {
      const bytes = passingKeys(seed, 1_500)
      const oneByOne = run(pipeline, bytes, 1)
      for (const most of [7, 512])
        expect(run(pipeline, bytes, most), `seed ${seed}, ${most} ahead`).toStrictEqual(oneByOne)
    }
    expect(taken()).toBeGreaterThan(2_000)
  })

  it('leave the same of ten thousand keys whose numbers the decoder gives', () => {
    const random = new Random('ten thousand keys')
    const ids = new Map<string, number>()
    const records = Array.from({ length: 24_000 }, (_, n) => {
      const key = `k${random.int(0, 9_999)}`
      const id = (ids.get(key) ?? 0) + (random.chance(0.02) ? 0 : 1)
      ids.set(key, id)
      const item = { key, id, at: 10_000 + Math.floor(n / 8), n: 0 }
      return { timestamp: 0, key: null, value: Buffer.from(JSON.stringify(item)), headers: [] }
    })
    const codec = jsonCodec(z.object({ key: z.string(), id: z.int(), at: z.int(), n: z.int() }))
    const pipeline = definePipeline({
      name: 'many-keys',
      build: (input) => {
        const items = input.pipe(decode(codec), eventTime({ of: ({ at }) => at, maxOutOfOrdernessMs: 300 }))
        const first = items.pipe(dedupe({ by: ({ key }) => key, id: ({ id }) => id, ids: 'ranges', ttlMs: 5_000 }))
        const sums = first.pipe(
          tumblingWindow({ name: 'w', sizeMs: 1_000, by: ({ key }) => key }),
          aggregateWindow({
            name: 'sum',
            initial: () => 0,
            add: (sum, { id }) => sum * 3 + id,
            result: (sum, { key, start }) => ({ key, start, sum }),
          }),
        )
        return { rows: toPostgres(sums, results) }
      },
    })
    const bytes = encodeRecordBatch(0, records)
    const taken = countTaken()
    const ahead = run(pipeline, bytes, 512, 6_000)
    expect(taken()).toBeGreaterThan(5_000)
    expect(ahead).toStrictEqual(run(pipeline, bytes, 1, 6_000))
  })
})
