import assert from 'node:assert/strict'
import fc from 'fast-check'
import type { Observable } from 'rxjs'
import { merge } from 'rxjs'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { z } from 'zod'
import { jsonCodec } from '../../../src/codecs/jsonCodec.ts'
import { decode } from '../../../src/operators/decode.ts'
import { field } from '../../../src/runtime/field.ts'
import { ReadAhead } from '../../../src/runtime/log/readAhead.ts'
import { definePipeline, inputsOf } from '../../../src/runtime/pipeline/pipeline.ts'
import { Lent } from '../../../src/runtime/spans/lent.ts'
import { only } from '../../../src/runtime/spans/only.ts'
import { shared } from '../../../src/runtime/spans/shared.ts'
import { together } from '../../../src/runtime/spans/together.ts'
import type { AppendTable, Column } from '../../../src/runtime/store/table.ts'
import { StreamTask } from '../../../src/runtime/task/streamTask.ts'
import { alone } from '../../../src/runtime/task/taskSurroundings.ts'
import { defaultLimits, type TaskLimits } from '../../../src/runtime/task/workerLimits.ts'
import { CopyPacker } from '../../../src/sinks/postgres/copyPacker.ts'
import { table } from '../../../src/sinks/table.ts'
import { toPostgres } from '../../../src/sinks/toPostgres.ts'
import { encodeRecordBatch } from '../../../src/sources/recordBatch/encode.ts'
import { RecordBatchWalker } from '../../../src/sources/recordBatch/walker.ts'
import { countTaken } from '../../runtime/spans/runCuts.ts'

afterEach(() => void vi.restoreAllMocks())

const reading = z.object({
  id: z.int(),
  at: z.number(),
  level: z.number().nullable(),
  isHigh: z.boolean(),
  kind: z.enum(['a', 'b', 'c']),
  note: z.string(),
  hint: z.string().optional(),
})
type Reading = z.infer<typeof reading>

const columns: readonly Column<Reading>[] = [
  { name: 'id', type: 'bigint', of: field('id') },
  { name: 'at', type: 'timestamptz', of: field('at') },
  { name: 'level', type: 'double precision', of: field('level') },
  { name: 'is_high', type: 'boolean', of: field('isHigh') },
  { name: 'kind', type: 'text', of: field('kind') },
  { name: 'note', type: 'text', of: field('note') },
  { name: 'hint', type: 'text', of: ({ hint }) => hint ?? null },
  { name: 'price', type: 'numeric', of: ({ id }) => (id % 50 === 33 ? 'a lot' : `${id}.25`) },
  { name: 'size', type: 'integer', of: ({ note }) => sizeOf(note) },
  { name: 'whole', type: 'jsonb', of: (row) => JSON.stringify(row) },
]

function sizeOf(note: string): number {
  if (note === 'none') throw new Error('no size')
  return note.length
}

const rows: AppendTable<Reading> = { mode: 'append', name: 'rows', columns }
const fewer = table('fewer', { columns: { id: 'bigint', note: 'text' } })

const isA = (one: Reading): one is Reading => one.kind === 'a'
const isOdd = (one: Reading): one is Reading => one.id % 2 === 1

/** How the readings come to tables. */
const ways: Readonly<Record<string, (readings: Observable<Reading>) => Record<string, ReturnType<typeof toPostgres>>>> =
  {
    'one table': (readings) => ({ rows: toPostgres(readings, rows) }),
    'two tables': (readings) => ({ rows: toPostgres(readings, rows), fewer: toPostgres(readings, fewer) }),
    'some of them': (readings) => ({
      rows: toPostgres(readings.pipe(only(isOdd)), rows),
      fewer: toPostgres(readings.pipe(only(isA)), fewer),
    }),
    'two ways to one table': (readings) => ({
      rows: toPostgres(together(readings.pipe(only(isA)), readings.pipe(only(isOdd))), rows),
    }),
    'by a step of RxJS': (readings) => ({ rows: toPostgres(merge(readings, readings.pipe(only(isOdd))), rows) }),
  }

interface Run {
  readonly pushes: 'one by one' | 'ahead'
  readonly onError?: 'stop'
  readonly limits?: Partial<TaskLimits>
  readonly maxUncommittedResults?: number
}

/** All that can be seen of a task that the frames were pushed into, and how many records had been pushed at each cut. */
function run(way: string, frames: readonly string[], { pushes, onError, limits, maxUncommittedResults = 1e9 }: Run) {
  const pipeline = definePipeline({
    name: 'readings',
    ...(onError === undefined ? {} : { onError }),
    build: (records) => ways[way]?.(records.pipe(decode(jsonCodec(reading)), shared)) ?? {},
  })
  const surroundings = { ...alone, openPacker: (packed: AppendTable<never>) => new CopyPacker(packed) }
  const task = new StreamTask(pipeline, null, 0, { ...defaultLimits, ...limits }, inputsOf(pipeline), surroundings)
  const records = frames.map((value) => ({ timestamp: 0, key: null, value: Buffer.from(value), headers: [] }))
  const batch = new RecordBatchWalker('readings', 0).load(encodeRecordBatch(0, records))
  const ahead = new ReadAhead(512)
  const credit = { ...defaultLimits, maxUncommittedResults }
  const written: Record<string, string[]> = {}
  const letters: unknown[] = []
  const cuts: number[] = []
  const cut = () => {
    const { writes, deadLetters, nextOffset } = task.cut({ now: 0, isFinal: false })
    for (const { table: of, packed } of writes) {
      assert(packed !== undefined)
      const lines = Buffer.concat(packed.chunks).toString().split('\n').slice(0, -1)
      assert.equal(lines.length, packed.count)
      written[of.name] = [...(written[of.name] ?? []), ...lines.map(unescaped)]
      packed.release()
    }
    letters.push(
      ...deadLetters.map(({ operator, offset, ordinal, reason, detail }) => ({
        operator,
        offset,
        ordinal,
        reason,
        detail,
      })),
    )
    cuts.push(nextOffset)
  }
  let failure: unknown = null
  try {
    while (ahead.next(batch)) {
      if (pushes === 'ahead') task.pushAhead(ahead, 0, credit, null)
      else task.push(ahead.show())
      if (task.uncutResults >= maxUncommittedResults) cut()
    }
    cut()
  } catch (error) {
    failure = error
  }
  return { written, letters, cuts, failure }
}

/** The line of COPY as its cells are read: which of the escapes of a character was written is all one. */
function unescaped(line: string): string {
  const characters: Readonly<Record<string, string>> = { b: '\b', f: '\f', n: '\n', r: '\r', t: '\t', N: '\0' }
  const cells = line.split('\t').map((cell) => cell.replace(/\\(.)/gs, (_, one: string) => characters[one] ?? one))
  return JSON.stringify(cells)
}

const note = fc.oneof(
  fc.string({ maxLength: 100 }),
  fc.string({ unit: 'grapheme', maxLength: 100 }),
  fc
    .array(fc.constantFrom('\\', '"', '/', '\n', '\t', '\r', '\b', '\f', 'x', '␛', '\0', '\u007f', 'é'), {
      maxLength: 90,
    })
    .map((all) => all.join('')),
  fc.integer({ min: 60, max: 300 }).map((length) => 'n\\'.repeat(length)),
  fc.constantFrom('again', 'none'),
)
const frame = fc
  .record(
    {
      id: fc.oneof(fc.nat(200), fc.maxSafeInteger(), fc.constantFrom(-0, 99_999_999, 100_000_000)),
      at: fc.oneof(
        fc.integer({ min: 1_436_918_400_000, max: 1_436_918_403_000 }),
        fc.constantFrom(0.5, 1e300, -1, 253_402_300_800_000),
      ),
      level: fc.option(fc.double({ noNaN: true, noDefaultInfinity: true })),
      isHigh: fc.boolean(),
      kind: fc.constantFrom('a', 'b', 'c'),
      note,
      hint: note,
    },
    { requiredKeys: ['id', 'at', 'level', 'isHigh', 'kind', 'note'] },
  )
  .chain((value) =>
    fc.constantFrom(
      JSON.stringify(value),
      JSON.stringify(value),
      JSON.stringify(value),
      JSON.stringify({ ...value, id: 'x' }),
    ),
  )

const plain = (id: number, more: Partial<Reading> = {}) =>
  JSON.stringify({
    id,
    at: 1_000 * id,
    level: null,
    isHigh: true,
    kind: 'a',
    note: `note "${id}" \\ ${'x'.repeat(id % 90)}`,
    ...more,
  })
const manyFrames = Array.from({ length: 900 }, (_, id) => plain(id, id % 97 === 5 ? { note: 'none' } : {}))

describe('rows of values that are lent', () => {
  it.each(Object.keys(ways))('are those of values one by one, and so are letters: %s', (way) => {
    fc.assert(
      fc.property(fc.array(frame, { minLength: 1, maxLength: 90 }), (frames) => {
        assert.deepEqual(run(way, frames, { pushes: 'ahead' }), run(way, frames, { pushes: 'one by one' }))
      }),
      { numRuns: 60 },
    )
    const taken = countTaken()
    assert.deepEqual(run(way, manyFrames, { pushes: 'ahead' }), run(way, manyFrames, { pushes: 'one by one' }))
    // Values that come on two ways come in turns, and a step of RxJS is one that nobody can look through.
    if (way === 'by a step of RxJS') expect(taken()).toBe(0)
    else if (way !== 'two ways to one table') expect(taken()).toBeGreaterThan(700)
  })

  it('end the task where they would one by one: at the first that the table cannot hold, and at a record that brings about too much', () => {
    const large = manyFrames.map((one, id) => (id === 555 ? plain(id, { note: 'n'.repeat(3_000) }) : one))
    const runs: readonly (readonly [string, readonly string[], Omit<Run, 'pushes'>, string])[] = [
      ['one table', manyFrames.slice(0, 30), { onError: 'stop' }, 'no size'],
      ['one table', large.slice(535), { limits: { maxRecordResultBytes: 4_000 } }, 'offset 20: this record alone'],
      ['two tables', large.slice(535), { limits: { maxRecordResultBytes: 9_100 } }, 'offset 20: this record alone'],
      ['two tables', manyFrames.slice(0, 3), { limits: { maxRecordResults: 1 } }, 'offset 0: this record alone'],
    ]
    for (const [way, frames, options, told] of runs) {
      const oneByOne = run(way, frames, { ...options, pushes: 'one by one' })
      const ahead = run(way, frames, { ...options, pushes: 'ahead' })
      expect(String(oneByOne.failure)).toContain(told)
      assert.deepEqual(ahead.failure, oneByOne.failure)
    }
  })

  it('come together no further than a checkpoint may hold', () => {
    const some = { pushes: 'ahead', maxUncommittedResults: 100 } as const
    const oneByOne = run('one table', manyFrames, { ...some, pushes: 'one by one' })
    assert.deepEqual(run('one table', manyFrames, some), oneByOne)
    expect(oneByOne.cuts.length).toBe(10)
  })

  it('are not there before they are kept, nor once another row has come', () => {
    const lender = jsonCodec(reading).lender?.(512)
    assert(lender !== undefined)
    const records = manyFrames
      .slice(0, 20)
      .map((value) => ({ timestamp: 0, key: null, value: Buffer.from(value), headers: [] }))
    const ahead = new ReadAhead(512)
    ahead.next(new RecordBatchWalker('readings', 0).load(encodeRecordBatch(0, records)))
    lender.read(ahead)
    const lent = lender.lend(0)
    assert(lent instanceof Lent)
    const packer = new CopyPacker(fewer as AppendTable<never>)
    const ids = () =>
      Buffer.concat(packer.take().chunks)
        .toString()
        .split('\n')
        .slice(0, -1)
        .map((line) => Number(line.split('\t')[0]))
    const all = Int32Array.from(records.keys())
    expect(packer.look(lent, all, 20, 1_000)).toBe(20)
    expect([packer.count, packer.bytes]).toEqual([0, 0])
    packer.add({ id: 77, note: '' })
    expect(packer.look(lent, all, 20, 1_000)).toBe(20)
    packer.keep(2)
    expect(packer.look(lent, all.subarray(5), 15, 1_000)).toBe(15)
    packer.keep(0)
    expect(packer.look(lent, all.subarray(9), 3, 1_000)).toBe(3)
    packer.keep(3)
    expect(packer.look(lent, all, 20, 1_000)).toBe(20)
    expect(ids()).toEqual([77, 0, 1, 9, 10, 11])
    // The note of each has one more character than that of the one before it.
    expect(packer.look(lent, all, 20, 20)).toBe(4)
    packer.keep(4)
    expect(packer.count).toBe(4)
    expect(ids()).toEqual([0, 1, 2, 3])
  })
})
