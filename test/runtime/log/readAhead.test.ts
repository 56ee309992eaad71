import { filter, map, tap } from 'rxjs'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { jsonCodec } from '../../../src/codecs/jsonCodec.ts'
import { aggregateWindow } from '../../../src/operators/aggregateWindow.ts'
import { decode } from '../../../src/operators/decode.ts'
import { dedupe } from '../../../src/operators/dedupe.ts'
import { eventTime } from '../../../src/operators/eventTime.ts'
import { hoppingWindow } from '../../../src/operators/hoppingWindow.ts'
import { keyed } from '../../../src/operators/keyed.ts'
import { sessionWindow } from '../../../src/operators/sessionWindow.ts'
import { tumblingWindow } from '../../../src/operators/tumblingWindow.ts'
import { CorruptRecordError } from '../../../src/runtime/errors.ts'
import type { RecordBatch } from '../../../src/runtime/log/log.ts'
import { ReadAhead } from '../../../src/runtime/log/readAhead.ts'
import { RecordView } from '../../../src/runtime/log/record.ts'
import { runningTask } from '../../../src/runtime/operator/currentTask.ts'
import { definePipeline } from '../../../src/runtime/pipeline/pipeline.ts'
import { Lent } from '../../../src/runtime/spans/lent.ts'
import { shared } from '../../../src/runtime/spans/shared.ts'
import type { AppendTable } from '../../../src/runtime/store/table.ts'
import { StreamTask } from '../../../src/runtime/task/streamTask.ts'
import { toPostgres } from '../../../src/sinks/toPostgres.ts'
import { encodeRecordBatch } from '../../../src/sources/recordBatch/encode.ts'
import { RecordBatchWalker } from '../../../src/sources/recordBatch/walker.ts'
import { type Item, itemCodec } from '../../../src/testing/simulation/graphs/item.ts'

const results: AppendTable<unknown> = {
  mode: 'append',
  name: 'results',
  columns: [{ name: 'result', type: 'jsonb', of: (row) => JSON.stringify(row) }],
}

/** What came to `by` of each, lent or not. */
const asked = new Map<string, Set<boolean>>()
const keyFor =
  (name: string) =>
  (item: Item): string => {
    asked.set(name, (asked.get(name) ?? new Set()).add(item instanceof Lent))
    return item.key
  }

const overlapping = [
  hoppingWindow({ name: 'hopping', sizeMs: 1_000, hopMs: 400, by: keyFor('hopping') }),
  sessionWindow({ name: 'session', gapMs: 250, by: keyFor('session') }),
  sessionWindow({ name: 'bounded', gapMs: 250, maxMs: 900, by: keyFor('bounded') }),
]

/** Everything that a chain may do with a value besides reading it while it is handled. */
const pipeline = definePipeline({
  name: 'keepers',
  build(records) {
    const items = records.pipe(
      decode(itemCodec),
      eventTime<Item>({ of: ({ at }) => at, maxOutOfOrdernessMs: 0 }),
      dedupe<Item>({ by: ({ key }) => key, id: ({ id }) => id, ids: 'ranges', ttlMs: 60_000 }),
      shared,
    )
    return {
      windows: toPostgres(
        items.pipe(
          tumblingWindow({ name: 'w', sizeMs: 1_000, by: ({ key }) => key }),
          aggregateWindow<Item, readonly Item[], unknown>({
            name: 'all',
            initial: () => [],
            add: (all, item) => [...all, item],
            result: (all) => all,
          }),
        ),
        results,
      ),
      ...Object.fromEntries(
        overlapping.map((window, i) => {
          const rows = items.pipe(
            window,
            aggregateWindow<Item, readonly Item[], unknown>({
              name: `all${i}`,
              initial: () => [],
              add: (all, item) => [...all, item],
              merge: (a, b) => [...a, ...b],
              result: (all, { key, start, end }) => ({ key, start, end, all }),
            }),
          )
          return [`overlapping${i}`, toPostgres(rows, { ...results, name: `overlapping${i}` })] as const
        }),
      ),
      elements: toPostgres(
        items.pipe(
          sessionWindow({ name: 'visit', gapMs: 250, by: ({ key }) => key }),
          filter(({ kind }) => kind === 'value'),
        ),
        { ...results, name: 'elements' },
      ),
      keyed: toPostgres(
        items.pipe(
          keyed<Item, Item | null, unknown>({
            name: 'previous',
            by: ({ key }) => key,
            initial: () => null,
            onValue: (previous, item) => ({ keep: item, emit: [{ previous, item }] }),
          }),
        ),
        { ...results, name: 'pairs' },
      ),
      plain: toPostgres(
        items.pipe(
          map((item) => ({ first: item, second: item })),
          filter(() => true),
        ),
        { ...results, name: 'plain' },
      ),
    }
  },
})

/** Brings nothing about before a window is over. */
const quiet = definePipeline({
  name: 'quiet',
  build: (records) => ({
    windows: toPostgres(
      records.pipe(
        decode(itemCodec),
        eventTime<Item>({ of: ({ at }) => at, maxOutOfOrdernessMs: 0 }),
        tumblingWindow({ name: 'w', sizeMs: 1_000, by: ({ key }) => key }),
        aggregateWindow<Item, number, unknown>({
          name: 'count',
          initial: () => 0,
          add: (n) => n + 1,
          result: (n) => n,
        }),
      ),
      results,
    ),
  }),
})

const credit = {
  maxUncommittedRecords: 1_000,
  maxUncommittedBytes: 1e9,
  maxUncommittedResults: 1e9,
  maxUncommittedResultBytes: 1e9,
}

/** Items of two keys, some again, one broken and one refused. */
function batchOf(count: number): Buffer {
  const records = Array.from({ length: count }, (_, i) => {
    const item = { key: `0${'ab'[i % 2]}`, id: i - (i % 7 === 6 ? 2 : 0), at: 100 * i, n: i === 11 ? 98 : i % 90 }
    const text = i === 8 ? '{' : JSON.stringify({ ...item, revision: 0, count: 1 })
    return { timestamp: 0, key: null, value: Buffer.from(text), headers: [] }
  })
  return encodeRecordBatch(0, records)
}

function run(most: number, records = 60) {
  const task = new StreamTask(pipeline, null, 0)
  const batch = new RecordBatchWalker('items', 0).load(batchOf(records))
  const ahead = new ReadAhead(most)
  while (ahead.next(batch)) {
    if (most > 1) task.pushAhead(ahead, 0, credit, null)
    else task.push(ahead.show())
  }
  const { writes, deadLetters, state, watermark, nextOffset } = task.cut({ now: 0, isFinal: false })
  const rows = writes.map(({ table, rows }) => [table.name, rows])
  return { rows, deadLetters, state, watermark, nextOffset, counts: task.operatorCounts() }
}

/** Four records, behind which the bytes are broken. */
function brokenBatch(): RecordBatch {
  const whole = new RecordBatchWalker('items', 0).load(batchOf(4))
  const read = (view: RecordView) => {
    if (whole.read(view)) return true
    throw new CorruptRecordError('broken', { topic: 'items', partition: 0, offset: 4 })
  }
  return { partition: 0, nextOffset: 5, byteLength: 0, read }
}

describe('records that were read ahead', () => {
  it('give the rows, letters, state and counts that records one by one give, whoever keeps their values', () => {
    const oneByOne = run(1)
    expect(oneByOne.rows.length).toBe(7)
    expect(oneByOne.deadLetters.length).toBe(2)
    for (const most of [2, 3, 7, 512]) expect(run(most)).toStrictEqual(oneByOne)
  })

  it('lend windows that overlap and sessions their values, where these are not held back', () => {
    asked.clear()
    run(512)
    expect([...asked].map(([name, lent]) => [name, [...lent]])).toEqual([
      ['hopping', [true]],
      ['session', [true]],
      ['bounded', [false]],
    ])
  })

  it('end where there is no more credit, so that a cut falls where it would have fallen', () => {
    for (const few of [
      { ...credit, maxUncommittedRecords: 3 },
      { ...credit, maxUncommittedBytes: 150 },
    ]) {
      const task = new StreamTask(quiet, null, 0)
      const ahead = new ReadAhead(512)
      ahead.next(new RecordBatchWalker('items', 0).load(batchOf(60)))
      task.pushAhead(ahead, 0, few, null)
      const { uncutRecords, uncutBytes } = task
      expect(uncutRecords).toBe(3)
      expect(uncutBytes).toBeGreaterThanOrEqual(150)
    }
  })

  it('end before what is due at an offset', () => {
    const task = new StreamTask(quiet, null, 0)
    const batch = new RecordBatchWalker('items', 0).load(batchOf(8))
    const ahead = new ReadAhead(512)
    for (const [until, next] of [
      [3, 3],
      [4, 4],
      [Number.POSITIVE_INFINITY, 8],
    ] as const) {
      expect(ahead.next(batch)).toBe(true)
      task.pushAhead(ahead, 0, credit, null, until)
      expect(task.nextOffset).toBe(next)
    }
  })

  it('are not mixed up with records that a step has made of them, or has moved', () => {
    const within = jsonCodec(z.object({ id: z.int() }))
    const values = Array.from({ length: 5 }, (_, id) => `{"id":${10 + id},"inner":{"id":${id}}}`)
    const batch = encodeRecordBatch(
      0,
      values.map((value) => ({ timestamp: 0, key: null, value: Buffer.from(value), headers: [] })),
    )
    const [before, behind] = ['{"id":10,"inner":'.length, 1]
    const made = (record: RecordView) => {
      const inner = new RecordView()
      inner.buffer = record.buffer
      inner.valueStart = record.valueStart + before
      inner.valueLength = record.valueLength - before - behind
      return inner
    }
    const moved = (record: RecordView) => {
      record.valueStart += before
      record.valueLength -= before + behind
      return record
    }
    for (const step of [made, moved]) {
      const unwrapping = definePipeline({
        name: 'unwrapping',
        build: (records) => ({ a: toPostgres(records.pipe(map(step), decode(within)), results) }),
      })
      for (const most of [1, 512]) {
        const task = new StreamTask(unwrapping, null, 0)
        const ahead = new ReadAhead(most)
        const walker = new RecordBatchWalker('items', 0).load(batch)
        while (ahead.next(walker)) {
          if (most === 1) task.push(ahead.show())
          else task.pushAhead(ahead, 0, credit, null)
          // What was found out about the part holds for no whole record.
          expect(task.facts.isJsonObject).toBe(false)
        }
        const { writes, deadLetters } = task.cut({ now: 0, isFinal: false })
        expect(deadLetters).toEqual([])
        expect(writes[0]?.rows).toEqual([0, 1, 2, 3, 4].map((id) => ({ id })))
      }
    }
  })

  it('leave no task at work where the archive takes one not', () => {
    const task = new StreamTask(quiet, null, 0)
    const batch = new RecordBatchWalker('items', 0).load(batchOf(8))
    const ahead = new ReadAhead(512)
    ahead.next(batch)
    const append = () => {
      throw new Error('no room')
    }
    expect(() => task.pushAhead(ahead, 0, credit, { append, appendAll: append })).toThrow('no room')
    expect(runningTask()).toBe(null)
  })

  it('have one value in common for all who keep it', () => {
    const seen: Item[][] = [[], []]
    const keepers = definePipeline({
      name: 'two',
      build(records) {
        const items = records.pipe(decode(itemCodec), shared)
        const one = (i: number) =>
          toPostgres(items.pipe(tap((item) => seen[i]?.push(item))), { ...results, name: `t${i}` })
        return { a: one(0), b: one(1) }
      },
    })
    const task = new StreamTask(keepers, null, 0)
    const batch = new RecordBatchWalker('items', 0).load(batchOf(6))
    const ahead = new ReadAhead(512)
    while (ahead.next(batch)) task.pushAhead(ahead, 0, credit, null)
    expect(seen[0]).toHaveLength(6)
    for (const [i, item] of (seen[0] as Item[]).entries()) expect(seen[1]?.[i]).toBe(item)
  })

  it('stand before what the log cannot read: it is told at its own place', () => {
    const ahead = new ReadAhead(512)
    const batch = brokenBatch()
    for (let offset = 0; offset < 4; offset += 1) {
      expect(ahead.next(batch)).toBe(true)
      expect(ahead.show().offset).toBe(offset)
    }
    expect(() => ahead.next(batch)).toThrow(CorruptRecordError)
  })

  it('lie in one buffer: one that lies in another begins anew', () => {
    const first = new RecordBatchWalker('items', 0).load(batchOf(3))
    const second = new RecordBatchWalker('items', 0).load(batchOf(3))
    const both: RecordBatch = {
      ...{ partition: 0, nextOffset: 6, byteLength: 0 },
      read: (view) => first.read(view) || second.read(view),
    }
    const ahead = new ReadAhead(512)
    const counts: number[] = []
    const texts: (string | null)[] = []
    while (ahead.next(both)) {
      counts.push(ahead.count)
      texts.push(ahead.show().valueText())
    }
    expect(counts).toStrictEqual([3, 3, 3, 3, 3, 3])
    expect(texts.slice(3)).toStrictEqual(texts.slice(0, 3))
  })
})
