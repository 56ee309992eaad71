import { filter, map, merge, mergeAll, mergeMap, type OperatorFunction, share } from 'rxjs'
import { describe, expect, it } from 'vitest'
import { decode } from '../../../src/operators/decode.ts'
import { dedupe } from '../../../src/operators/dedupe.ts'
import { eventTime } from '../../../src/operators/eventTime.ts'
import { mapAsync } from '../../../src/operators/mapAsync.ts'
import { tumblingWindow } from '../../../src/operators/tumblingWindow.ts'
import { encodeHeaders } from '../../../src/runtime/log/encodeHeaders.ts'
import { type RecordHeader, RecordView, redriveHeader, redrivePipelineHeader } from '../../../src/runtime/log/record.ts'
import { stateful } from '../../../src/runtime/operator/stateful.ts'
import { definePipeline, type Pipeline } from '../../../src/runtime/pipeline/pipeline.ts'
import type { DeadLetter } from '../../../src/runtime/store/checkpoint.ts'
import type { Table } from '../../../src/runtime/store/table.ts'
import { StreamTask } from '../../../src/runtime/task/streamTask.ts'
import type { TaskCut } from '../../../src/runtime/task/taskCut.ts'
import { toPostgres } from '../../../src/sinks/toPostgres.ts'
import { savedFrom } from '../../support/tasks.ts'

interface Item {
  readonly id: number
  readonly at: number
}

const numbers: Table<unknown> = {
  mode: 'append',
  name: 'numbers',
  columns: [{ name: 'value', type: 'jsonb', of: (row) => JSON.stringify(row) }],
}

const items = decode<readonly Item[]>({ decode: (record) => JSON.parse(record.valueText() ?? '[]') as Item[] })
const timed = (maxAdvanceMs?: number) =>
  eventTime<Item>({
    of: ({ at }) => at,
    maxOutOfOrdernessMs: 0,
    ...(maxAdvanceMs === undefined ? {} : { maxAdvanceMs }),
  })
const window = (allowedLatenessMs = 0) =>
  tumblingWindow<Item>({ name: 'w', sizeMs: 10, by: () => 'k', allowedLatenessMs })
const once = dedupe<Item>({ by: () => 'k', id: ({ id }) => id, ttlMs: 100_000 })

/** A record of several items. */
function viewOf(offset: number, value: readonly Item[], key: Uint8Array | null = null, headers: RecordHeader[] = []) {
  const view = new RecordView()
  const bytes = Buffer.from(JSON.stringify(value))
  const encoded = encodeHeaders(headers)
  view.offset = offset
  view.timestamp = 1_000 + offset
  view.buffer = Buffer.concat([key ?? Buffer.alloc(0), bytes, encoded])
  view.keyLength = key === null ? -1 : key.length
  view.valueStart = key?.length ?? 0
  view.valueLength = bytes.length
  view.headersStart = view.valueStart + bytes.length
  view.headersLength = encoded.length
  return view
}

const item = (id: number, at: number): Item => ({ id, at })
const identity = ({ offset, operator, ordinal }: DeadLetter) => `${offset} ${operator} ${ordinal}`
const cut = { now: 0, isFinal: false }

const leaping = definePipeline({
  name: 'leaping',
  build: (records) => ({ rows: toPostgres(records.pipe(items, mergeAll(), timed(1_000), once, window()), numbers) }),
}) as Pipeline

describe('the identity of a dead letter', () => {
  it('tells values of one record apart, also those that were held back, over every restart', () => {
    const seen = new Map<boolean, string[]>()
    for (const restarts of [false, true]) {
      let task = new StreamTask(leaping, null, 0)
      const cuts: TaskCut[] = []
      const step = (act: () => void) => {
        act()
        if (!restarts) return
        cuts.push(task.cut(cut))
        task = new StreamTask(leaping, savedFrom(...cuts), 0)
      }
      // Two leaps of one record, released together and late for their windows, and a late value beside them.
      step(() => task.push(viewOf(0, [item(1, 0), item(2, 1), item(3, 2)])))
      step(() => task.push(viewOf(1, [item(10, 9_000), item(11, 8_000), item(12, 8_500)])))
      step(() => task.push(viewOf(2, [item(13, 9_100), item(14, 9_100), item(15, 9_100), item(16, 5)])))
      step(() => task.advanceIdle(20_000))
      step(() => task.push(viewOf(3, [item(17, 5), item(18, 5)])))
      cuts.push(task.cut(cut))
      seen.set(
        restarts,
        cuts.flatMap(({ deadLetters }) => deadLetters.map(identity)),
      )
    }
    expect(seen.get(true)).toEqual(seen.get(false))
    expect(new Set(seen.get(false)).size).toBe(seen.get(false)?.length)
    expect(seen.get(false)).toEqual(expect.arrayContaining(['1 w 0', '1 w 1', '2 w 0', '3 w 0', '3 w 1']))
  })

  const rejecting = definePipeline({
    name: 'rejecting',
    build: (records) => ({
      rows: toPostgres(
        records.pipe(
          items,
          mergeAll(),
          timed(),
          stateful<Item, Item>({ name: 'r' }, (_restored, out) => ({
            onValue: ({ id, at }) => {
              out.reject('value', `value ${id}`)
              out.at(String(id), at + 100)
            },
            onTimer: (id) => out.reject('timer', `timer ${id}`),
          })),
        ),
        numbers,
      ),
    }),
  }) as Pipeline

  it('goes on counting where an idle step or a cut sets aside what belongs to the last record, after a restart too', () => {
    const first = new StreamTask(rejecting, null, 0)
    first.push(viewOf(7, [item(1, 5), item(2, 6)]))
    const saved = first.cut(cut)
    const second = new StreamTask(rejecting, savedFrom(saved), 0)
    second.advanceIdle(1_000)
    const letters = [...saved.deadLetters, ...second.cut(cut).deadLetters]
    expect(letters.map(({ detail, ...letter }) => `${identity(letter as DeadLetter)} ${detail}`)).toEqual([
      '7 r 0 value 1',
      '7 r 1 value 2',
      '7 r 2 timer 1',
      '7 r 3 timer 2',
    ])
    expect(letters.map(({ payload }) => payload === null)).toEqual([false, false, true, true])
  })

  it('stays with the last record in a gap that compaction has left, found before a restart or not', () => {
    const lettersOf = (restarts: boolean, isFound: boolean) => {
      let task = new StreamTask(rejecting, null, 0)
      task.push(viewOf(7, [item(1, 5)]))
      if (isFound) task.skipTo(20)
      const saved = task.cut(cut)
      if (restarts) task = new StreamTask(rejecting, savedFrom(saved), 0)
      task.advanceIdle(1_000)
      return [...saved.deadLetters, ...task.cut(cut).deadLetters].map(identity)
    }
    for (const restarts of [false, true]) {
      for (const isFound of [false, true]) expect(lettersOf(restarts, isFound)).toEqual(['7 r 0', '7 r 1'])
    }
  })
})

describe('what a dead letter carries', () => {
  it('is the record with key and headers as bytes, also for a value that was held back and saved', () => {
    const key = Buffer.from([0xff, 0, 0xfe])
    const headers = [
      { key: 'trace', value: Buffer.from([0, 0xff]) },
      { key: 'empty', value: null },
    ]
    const first = new StreamTask(leaping, null, 0)
    first.push(viewOf(0, [item(1, 0), item(2, 0), item(3, 0)]))
    first.push(viewOf(1, [item(4, 900_000)], key, headers))
    const second = new StreamTask(leaping, savedFrom(first.cut(cut)), 0)
    for (const offset of [2, 3, 4]) second.push(viewOf(offset, [item(offset + 3, offset)]))
    expect(second.cut(cut).deadLetters).toMatchObject([
      {
        offset: 1,
        reason: 'time-leap',
        recordTime: 1_001,
        key,
        headers,
        payload: Buffer.from('[{"id":4,"at":900000}]'),
      },
    ])
  })

  it('is that of its own record below an asynchronous operator, wherever the cut falls', async () => {
    const pipeline = definePipeline({
      name: 'mapped',
      build: (records) => ({
        rows: toPostgres(
          records.pipe(
            items,
            mapAsync(async (list) => list, { concurrency: 8 }),
            mergeAll(),
            timed(),
            window(),
          ),
          numbers,
        ),
      }),
    }) as Pipeline
    const letters: DeadLetter[][] = []
    for (const every of [1, 2, 4]) {
      const task = new StreamTask(pipeline, null, 0)
      const found: DeadLetter[] = []
      for (let offset = 0; offset < 4; offset++) {
        task.push(viewOf(offset, [item(1, 100), item(2, offset)], Buffer.from([offset])))
        if ((offset + 1) % every === 0) found.push(...(await task.cutWhenQuiet(cut)).deadLetters)
      }
      letters.push(found)
    }
    expect(letters[0]?.map(identity)).toEqual(['0 w 0', '1 w 0', '2 w 0', '3 w 0'])
    expect(letters[0]?.[2]).toMatchObject({
      key: Buffer.from([2]),
      payload: Buffer.from(JSON.stringify([item(1, 100), item(2, 2)])),
    })
    expect(letters[1]).toEqual(letters[0])
    expect(letters[2]).toEqual(letters[0])
  })
})

describe('a redriven record', () => {
  const counted = stateful<Item, string>({ name: 'beside' }, (_restored, out) => ({
    onValue: ({ id }) => out.emit(`beside ${id}`),
  }))
  const branched = (allowedLatenessMs: number) =>
    definePipeline({
      name: 'branched',
      build: (records) => {
        const clean = records.pipe(items, mergeAll(), timed(), once, share())
        return {
          windows: toPostgres(
            clean.pipe(
              window(allowedLatenessMs),
              map((element) => element.kind),
            ),
            numbers,
          ),
          beside: toPostgres(clean.pipe(counted), { ...numbers, name: 'beside' }),
          plain: toPostgres(clean.pipe(map(({ id }) => `plain ${id}`)), { ...numbers, name: 'plain' }),
        }
      },
    }) as Pipeline
  const enriching = (make: (value: Item) => Item) =>
    stateful<Item, Item>({ name: 'enriching', passesRedriven: true }, (_restored, out) => ({
      onValue: (value) => out.emit(make(value)),
    }))
  const redriven = (offset: number, operator: string, value: readonly Item[]) =>
    viewOf(offset, value, null, [{ key: redriveHeader, value: Buffer.from(operator) }])
  const rowsOf = ({ writes }: TaskCut) => Object.fromEntries(writes.map(({ table, rows }) => [table.name, rows]))

  it('that is still late does not vanish: it is set aside again, by the operator that knows why', () => {
    const task = new StreamTask(branched(0), null, 0)
    for (const [offset, at] of [5, 50, 3].entries()) task.push(viewOf(offset, [item(offset, at)]))
    expect(task.cut(cut).deadLetters.map(identity)).toEqual(['2 w 0'])
    task.push(redriven(3, 'w', [item(2, 3)]))
    expect(task.cut(cut)).toMatchObject({ writes: [], deadLetters: [{ offset: 3, operator: 'w', reason: 'late' }] })
  })

  it('does what it would have done where that is possible by now, and what it had done before not again', () => {
    const failing = (isMended: boolean) =>
      definePipeline({
        name: 'failing',
        build: (records) => {
          const clean = records.pipe(items, mergeAll(), timed(), once, share())
          const by = ({ id }: Item) => {
            if (id === 2 && !isMended) throw new TypeError('no key')
            return 'k'
          }
          const windows = clean.pipe(
            tumblingWindow<Item>({ name: 'w', sizeMs: 10, by }),
            map((element) => element.kind),
          )
          return {
            windows: toPostgres(windows, numbers),
            beside: toPostgres(clean.pipe(counted), { ...numbers, name: 'beside' }),
          }
        },
      }) as Pipeline
    const first = new StreamTask(failing(false), null, 0)
    for (const [offset, at] of [5, 8, 6].entries()) first.push(viewOf(offset, [item(offset, at)]))
    const cuts = [first.cut(cut)]
    expect(cuts[0]?.deadLetters.map(identity)).toEqual(['2 w 0'])
    const second = new StreamTask(failing(true), savedFrom(...cuts), 0)
    second.push(redriven(3, 'w', [item(2, 6)]))
    const after = second.cut(cut)
    expect([after.deadLetters, rowsOf(after)]).toEqual([[], { numbers: ['value'] }])
    second.push(viewOf(4, [item(9, 7)]))
    expect(rowsOf(second.cut(cut))).toEqual({ numbers: ['value'], beside: ['beside 9'] })
  })

  it('of several values is refused, for one of them was set aside and the others were not', () => {
    const task = new StreamTask(branched(0), null, 0)
    task.push(redriven(0, 'w', [item(1, 5), item(2, 6)]))
    const { writes, deadLetters } = task.cut(cut)
    expect(writes).toEqual([])
    expect(deadLetters).toMatchObject([
      { operator: 'w', reason: 'not-redrivable', detail: expect.stringMatching(/2 values of it come there/) },
    ])
  })

  it('under the name of the pipeline is as new: nothing of it was done', () => {
    const task = new StreamTask(branched(0), null, 0)
    task.push(redriven(0, 'branched', [item(1, 5), item(2, 6)]))
    expect(rowsOf(task.cut(cut))).toMatchObject({ beside: ['beside 1', 'beside 2'] })
  })

  it('that cannot come to its operator says so', () => {
    const task = new StreamTask(branched(0), null, 0)
    task.push(redriven(0, 'nobody', [item(1, 5)]))
    expect(task.cut(cut)).toMatchObject({
      writes: [],
      deadLetters: [{ offset: 0, operator: 'nobody', reason: 'not-redrivable' }],
    })
  })

  it('for another pipeline that reads the topic is nothing to this one, which had it when it came first', () => {
    const task = new StreamTask(branched(0), null, 0)
    const owned = (offset: number, pipeline: string) =>
      viewOf(offset, [item(1, 5)], null, [
        { key: redriveHeader, value: Buffer.from('decode') },
        { key: redrivePipelineHeader, value: Buffer.from(pipeline) },
      ])
    task.push(owned(0, 'somebody else'))
    expect(task.cut(cut)).toMatchObject({ nextOffset: 1, writes: [], deadLetters: [] })
    task.push(owned(1, branched(0).name))
    expect(rowsOf(task.cut(cut))).toEqual({ numbers: ['value'], beside: ['beside 1'], plain: ['plain 1'] })
  })

  it('for the first operator is a record like any other', () => {
    const task = new StreamTask(branched(0), null, 0)
    task.push(redriven(0, 'decode', [item(1, 5)]))
    expect(rowsOf(task.cut(cut))).toEqual({ numbers: ['value'], beside: ['beside 1'], plain: ['plain 1'] })
  })

  describe('below an operator that waits', () => {
    const waited = (name: string, calls: string[] = []) =>
      mapAsync<Item, Item>(
        async (value) => {
          calls.push(`${name} ${value.id}`)
          return value
        },
        { name, concurrency: 4 },
      )
    const below = (branch: OperatorFunction<Item, Item>, beside: OperatorFunction<Item, Item>) =>
      definePipeline({
        name: 'below',
        build: (records) => {
          const clean = records.pipe(items, mergeAll(), waited('first'), share())
          return {
            beside: toPostgres(clean.pipe(beside), { ...numbers, name: 'beside' }),
            windows: toPostgres(
              clean.pipe(
                branch,
                timed(),
                window(),
                map((element) => element.kind),
              ),
              numbers,
            ),
          }
        },
      }) as Pipeline
    const same = map((value: Item) => value)

    it('and is late again has one letter, and none of what stands beside: nothing is asked there a second time', async () => {
      const calls: string[] = []
      const task = new StreamTask(below(same, waited('beside', calls)), null, 0)
      for (const [offset, at] of [5, 50, 3].entries()) task.push(viewOf(offset, [item(offset, at)]))
      expect((await task.cutWhenQuiet(cut)).deadLetters.map(identity)).toEqual(['2 w 0'])
      task.push(redriven(3, 'w', [item(9, 3)]))
      const { writes, deadLetters } = await task.cutWhenQuiet(cut)
      expect(writes).toEqual([])
      expect(deadLetters).toMatchObject([{ offset: 3, operator: 'w', reason: 'late', ordinal: 0 }])
      expect(calls).toEqual(['beside 0', 'beside 1', 'beside 2'])
    })

    it('and does not come there says so, whoever has it beside', async () => {
      const failing = enriching(() => {
        throw new TypeError('beside')
      })
      const task = new StreamTask(below(filter<Item>(({ id }) => id > 5) as typeof same, failing), null, 0)
      task.push(redriven(0, 'w', [item(1, 5)]))
      const { deadLetters } = await task.cutWhenQuiet(cut)
      expect(deadLetters).toMatchObject([{ offset: 0, operator: 'w', reason: 'not-redrivable' }])
    })

    it('and comes there as several values is not counted twice', async () => {
      const task = new StreamTask(
        below(mergeMap((one: Item) => [one, { ...one, at: one.at + 1 }]) as never, same),
        null,
        0,
      )
      task.push(redriven(0, 'w', [item(1, 5)]))
      const { writes, deadLetters } = await task.cutWhenQuiet(cut)
      expect(writes).toEqual([])
      expect(deadLetters).toMatchObject([
        { operator: 'w', reason: 'not-redrivable', detail: expect.stringMatching(/2 values of it come there/) },
      ])
    })

    it('and comes there on two ways, one of which does not wait, is not taken on either', async () => {
      const met: string[] = []
      const meeting = stateful<Item, Item>({ name: 'meeting', isOrderFree: true }, (_restored, out) => ({
        onValue(value) {
          met.push(String(value.id))
          out.emit(value)
        },
      }))
      const pipeline = definePipeline({
        name: 'ways',
        build: (records) => {
          const clean = records.pipe(items, mergeAll(), share())
          return { met: toPostgres(merge(clean, clean.pipe(waited('way'))).pipe(meeting), numbers) }
        },
      }) as Pipeline
      const task = new StreamTask(pipeline, null, 0)
      task.push(redriven(0, 'meeting', [item(1, 5)]))
      const { deadLetters } = await task.cutWhenQuiet(cut)
      expect([met, deadLetters.map(({ reason }) => reason)]).toEqual([[], ['not-redrivable']])
    })
  })
})
