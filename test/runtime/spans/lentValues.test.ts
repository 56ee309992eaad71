import assert from 'node:assert/strict'
import fc from 'fast-check'
import { bufferCount, groupBy, map, mergeMap, type Observable, pairwise, scan, shareReplay, tap } from 'rxjs'
import { describe, it } from 'vitest'
import { z } from 'zod'
import { jsonCodec } from '../../../src/codecs/jsonCodec.ts'
import { textCodec } from '../../../src/codecs/textCodec.ts'
import { aggregateWindow } from '../../../src/operators/aggregateWindow.ts'
import { decode } from '../../../src/operators/decode.ts'
import { dedupe } from '../../../src/operators/dedupe.ts'
import { eventTime } from '../../../src/operators/eventTime.ts'
import { keyed } from '../../../src/operators/keyed.ts'
import { tumblingWindow } from '../../../src/operators/tumblingWindow.ts'
import { Rejection } from '../../../src/runtime/log/codec.ts'
import { ReadAhead } from '../../../src/runtime/log/readAhead.ts'
import { stateful } from '../../../src/runtime/operator/stateful.ts'
import { definePipeline, type Pipeline } from '../../../src/runtime/pipeline/pipeline.ts'
import { shared } from '../../../src/runtime/spans/shared.ts'
import type { AppendTable } from '../../../src/runtime/store/table.ts'
import { StreamTask } from '../../../src/runtime/task/streamTask.ts'
import { Worker } from '../../../src/runtime/worker/worker.ts'
import { toPostgres } from '../../../src/sinks/toPostgres.ts'
import { encodeRecordBatch } from '../../../src/sources/recordBatch/encode.ts'
import { RecordBatchWalker } from '../../../src/sources/recordBatch/walker.ts'
import { MemoryCheckpointStore } from '../../../src/testing/memoryCheckpointStore.ts'
import { MemoryLog } from '../../../src/testing/memoryLog.ts'
import { VirtualClock } from '../../../src/testing/virtualClock.ts'
import { objectOf } from '../../codecs/randomSchema.ts'

const shown = (value: unknown) => JSON.stringify(value, (_, one) => (typeof one === 'bigint' ? `${one}n` : one))
const into = (name: string): AppendTable<unknown> => ({
  ...{ mode: 'append', name },
  columns: [{ name: 'row', type: 'jsonb', of: (row) => shown(row) }],
})

/** Everything that keeps a value for later, in one way or another; what it has kept at the end. */
function keepersOf(values: Observable<unknown>) {
  const kept = new Map<string, unknown[]>()
  const keeping = (name: string, ...more: readonly unknown[]) => {
    const list = kept.get(name) ?? []
    kept.set(name, list)
    list.push(...more)
  }
  let time = 0
  const timed = eventTime<unknown>({ of: () => time++, maxOutOfOrdernessMs: 0 })
  const alone = dedupe<unknown>({ by: (value) => shown(value), id: () => String(time), ttlMs: 1e9 })
  const own = stateful<unknown, unknown>({ name: 'own' }, () => ({ onValue: (value) => keeping('own', value) }))
  const ways: Readonly<Record<string, Observable<unknown>>> = {
    array: values.pipe(tap((value) => keeping('array', value))),
    buffer: values.pipe(
      bufferCount(3),
      tap((three) => keeping('buffer', ...three)),
    ),
    pairs: values.pipe(
      pairwise(),
      tap(([before]) => keeping('pairs', before)),
    ),
    scan: values.pipe(
      scan((before: unknown, value) => {
        if (before !== null) keeping('scan', before)
        return value
      }, null),
    ),
    groups: values.pipe(
      groupBy((value) => shown(value).length % 2),
      mergeMap((group) => group.pipe(tap((value) => keeping('groups', value)))),
    ),
    shared: values.pipe(
      shareReplay({ bufferSize: 2, refCount: true }),
      tap((value) => keeping('shared', value)),
    ),
    own: values.pipe(own),
    timed: values.pipe(
      timed,
      alone,
      tap((value) => keeping('timed', value)),
    ),
  }
  const nothing = map(() => [])
  const outlets = Object.entries(ways).map(([name, way]) => [
    name,
    toPostgres(
      way.pipe(
        nothing,
        mergeMap((none) => none),
      ),
      into(name),
    ),
  ])
  return { kept, outlets: Object.fromEntries(outlets) }
}

/** What a pipeline would do that reads text, and parses it by itself. */
function meantBy(schema: z.ZodType, value: Buffer): { readonly value: unknown } | { readonly reason: string } {
  const view = { buffer: value, valueStart: 0, valueLength: value.length }
  const text = textCodec().decode(view as never)
  if (text instanceof Rejection) return text
  let json: unknown
  try {
    json = JSON.parse(text as string)
  } catch {
    return { reason: 'not-json' }
  }
  const result = schema.safeParse(json)
  return result.success ? { value: result.data } : { reason: 'malformed' }
}

const tokens = [
  ...['-0', '1.0', '1e3', '1e400', '9007199254740993', '5e-324', '01', 'null', 'true', '{}', '[[]]', '"\\u0000"'],
  ...['"\\ud800"', '"\u2028é"', `"${'z'.repeat(64)}"`, `"${'q'.repeat(5_000)}"`, '12345678901234567890', '""'],
]
const token = /-?\d+(?:\.\d+)?(?:e[-+]?\d+)?|"(?:[^"\\]|\\.)*"(?!:)|true|false|null/g
const damage = fc.oneof(
  { weight: 8, arbitrary: fc.constant((text: string) => text) },
  { weight: 4, arbitrary: fc.tuple(fc.nat(6), fc.constantFrom(...tokens)).map(replacing) },
  { weight: 1, arbitrary: fc.constantFrom('"a":1,', '"__proto__":1,', '"x":[1],', ' ', '"é":1,').map(beginning) },
  { weight: 1, arbitrary: fc.constantFrom('\n', '}', '\0', '\ufeff').map((more) => (text: string) => text + more) },
  { weight: 1, arbitrary: fc.nat(40).map((length) => (text: string) => text.slice(0, length)) },
)

function replacing([which, by]: readonly [number, string]) {
  return (text: string) => {
    let at = 0
    return text.replaceAll(token, (found) => (at++ === which ? by : found))
  }
}

function beginning(first: string) {
  return (text: string) => text.replace('{', `{${first}`)
}

const order = z.object({
  ...{ id: z.int(), at: z.number(), key: z.string(), note: z.string().optional(), isOld: z.boolean().nullish() },
  sub: z.object({ x: z.number(), s: z.string().nullable() }),
})
type Order = z.infer<typeof order>
const places = ['map', 'of', 'by', 'id', 'add', 'result', 'keyed', 'isProvisional'] as const

/** A pipeline whose callbacks throw on some orders at these places. */
function failingAt(where: ReadonlySet<string>, isShared: boolean): Pipeline {
  const at = <R>(place: string, of: (value: Order) => R) => {
    return (value: Order) => {
      if (where.has(place) && value.id % 7 === place.length % 7) throw new TypeError(`${place} of ${value.id}`)
      return of(value)
    }
  }
  return definePipeline({
    name: 'failing',
    build: (records) => {
      const orders = records.pipe(decode(jsonCodec(order)), shared)
      const timed = orders.pipe(
        eventTime({ of: at('of', (value) => value.at), maxOutOfOrdernessMs: 300 }),
        dedupe({ by: at('by', ({ key }) => key), id: at('id', ({ id }) => id), ttlMs: 10_000 }),
        isShared ? shared : map((value) => value),
      )
      const windows = timed.pipe(
        tumblingWindow({
          ...{ name: 'w', sizeMs: 1_000, allowedLatenessMs: 400, by: ({ key }) => key },
          isProvisional: at('isProvisional', ({ isOld }) => isOld === true),
        }),
        aggregateWindow<Order, readonly Order[], unknown>({
          initial: () => [],
          add: (all, value) => at('add', () => [...all, value])(value),
          result: (all, { key, start }, { revision }) =>
            at('result', () => [key, start, revision, all])(all[0] as Order),
        }),
      )
      const changes = timed.pipe(
        keyed<Order, Order | null, unknown>({
          ...{ name: 'k', by: ({ key }) => key, initial: () => null },
          onValue: (before, value) => at('keyed', () => ({ keep: value, emit: [[before, value]] }))(value),
        }),
      )
      const plain = orders.pipe(
        map(at('map', (value) => value)),
        bufferCount(2),
        map(([first, second]) => ({ first, second })),
      )
      const outlets = { windows: toPostgres(windows, into('windows')), plain: toPostgres(plain, into('plain')) }
      return isShared ? { ...outlets, changes: toPostgres(changes, into('changes')) } : outlets
    },
  })
}

async function run(pipeline: Pipeline, batchRecords: number, values: readonly string[]) {
  const clock = new VirtualClock()
  const log = new MemoryLog({ topic: 'orders', partitions: 1, clock, batchRecords })
  log.add(...values.map((value) => ({ value })))
  const store = new MemoryCheckpointStore()
  const worker = new Worker({ pipeline, source: log, store, archive: null, clock })
  const running = worker.run()
  worker.stop('drain-and-close')
  await clock.run(running)
  const letters = store.deadLetters().map(({ offset, operator, reason, detail, payload, ordinal }) => {
    return { offset, operator, reason, detail, payload: String(payload), ordinal }
  })
  return { letters, rows: ['windows', 'plain', 'changes'].map((name) => store.rows(name)) }
}

describe('values of records that were read together', () => {
  it('are those of JSON.parse and zod, of any schema and any bytes, and stay so whoever keeps them', () => {
    const sample = objectOf(2, true).chain(({ schema, value }) =>
      fc.tuple(
        fc.constant(schema),
        fc.array(fc.tuple(value, damage), { minLength: 1, maxLength: 60 }),
        fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 6 }),
      ),
    )
    fc.assert(
      fc.property(sample, ([schema, drawn, sizes]) => {
        const frames = drawn.map(([value, damaged]) => Buffer.from(damaged(JSON.stringify(value))))
        const kept: Map<string, unknown[]>[] = []
        const pipeline = definePipeline({
          name: 'keepers',
          build(records) {
            const keepers = keepersOf(records.pipe(decode(jsonCodec(schema)), shared))
            kept.push(keepers.kept)
            return keepers.outlets
          },
        })
        const task = new StreamTask(pipeline, null, 0)
        for (let from = 0, turn = 0; from < frames.length; turn += 1) {
          const part = frames.slice(from, from + (sizes[turn % sizes.length] as number))
          const records = part.map((value) => ({ timestamp: 0, key: null, value, headers: [] }))
          const batch = new RecordBatchWalker('values', 0).load(encodeRecordBatch(from, records))
          const ahead = new ReadAhead(512)
          const credit = {
            maxUncommittedRecords: 1e9,
            maxUncommittedBytes: 1e9,
            maxUncommittedResults: 1e9,
            maxUncommittedResultBytes: 1e9,
          }
          while (ahead.next(batch)) task.pushAhead(ahead, 0, credit, null)
          from += part.length
        }
        const meant = frames.map((frame) => meantBy(schema, frame))
        const values = meant.flatMap((one) => ('value' in one ? [one.value] : []))
        const reasons = meant.flatMap((one, offset) => ('reason' in one ? [[offset, one.reason]] : []))
        const { deadLetters } = task.cut({ now: 0, isFinal: false })
        assert.deepEqual(
          deadLetters.map(({ offset, reason }) => [offset, reason]),
          reasons,
        )
        for (const [name, list] of kept.at(-1) ?? []) {
          assert.deepEqual(list, values.slice(0, list.length), name)
          assert.deepEqual(list.map(shown), values.slice(0, list.length).map(shown), name)
          assert(list.length > values.length - 3, name)
        }
      }),
      { numRuns: 60 },
    )
  })

  it('fail where they fail one by one: the same letters of the same records, and the same rows', async () => {
    const drawn = fc.record(
      {
        ...{ id: fc.nat(60), at: fc.nat(6_000), key: fc.constantFrom('a', 'b'), isOld: fc.option(fc.boolean()) },
        note: fc.oneof(
          fc.string(),
          fc.integer({ min: 64, max: 300 }).map((length) => 'n'.repeat(length)),
        ),
        sub: fc.record({ x: fc.double({ noNaN: true, noDefaultInfinity: true }), s: fc.option(fc.string()) }),
      },
      { requiredKeys: ['id', 'at', 'key', 'sub'] },
    )
    const values = fc.array(fc.tuple(drawn, damage), { minLength: 2, maxLength: 60 })
    await fc.assert(
      fc.asyncProperty(values, fc.subarray([...places]), fc.boolean(), async (orders, where, isShared) => {
        const texts = orders.map(([value, damaged]) => damaged(JSON.stringify(value)))
        const pipeline = failingAt(new Set(where), isShared)
        const oneByOne = await run(pipeline, 1, texts)
        for (const many of [7, 512]) assert.deepEqual(await run(pipeline, many, texts), oneByOne)
      }),
      { numRuns: 40 },
    )
  })
})
