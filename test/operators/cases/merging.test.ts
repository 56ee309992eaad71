import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { InputMerge } from '../../../src/runtime/inputs/inputMerge.ts'
import { EventClocks } from '../../../src/runtime/time/eventClock.ts'
import { TimeDomain } from '../../../src/runtime/time/timeDomain.ts'

type Arrival = readonly [input: string, at: number, key: string, value: number]

interface MergeCase {
  readonly id: string
  readonly from: string
  readonly events: readonly Arrival[]
  readonly rows: readonly (readonly [input: string, at: number, value: number])[]
}

/** `[input, watermark]`, or that an input is passed over, and the watermark after each; null where there is none. */
interface WatermarkCase {
  readonly id: string
  readonly from: string
  readonly options: { readonly inputs: readonly number[] }
  readonly events: readonly (readonly [input: number, watermark: number | 'idle'])[]
  readonly rows: readonly (number | null)[]
}

const given = JSON.parse(readFileSync(new URL('cases.json', import.meta.url), 'utf8')) as readonly (
  | (MergeCase & { readonly operator: 'inputMerge' })
  | (WatermarkCase & { readonly operator: 'combineWatermarks' })
)[]

const merges: readonly MergeCase[] = [
  ...given.filter((one) => one.operator === 'inputMerge'),
  {
    id: 'mrg-04',
    from: 'kafka streams PartitionGroupTest.testTimeTracking (all there before the first goes)',
    events: [
      ...[1, 3, 5, 2, 4].map((at, i): Arrival => ['p1', at, 'k', i]),
      ...[2, 4, 6].map((at, i): Arrival => ['p2', at, 'k', i]),
    ],
    rows: [
      ['p1', 1, 0],
      ['p2', 2, 0],
      ['p1', 3, 1],
      ['p2', 4, 1],
      ['p1', 5, 2],
      ['p1', 2, 3],
      ['p1', 4, 4],
      ['p2', 6, 2],
    ],
  },
]

const watermarks: readonly WatermarkCase[] = [
  ...given.filter((one) => one.operator === 'combineWatermarks'),
  {
    id: 'wmk-05',
    from: 'flink StatusWatermarkValveTest.testMultipleInputDecreasingWatermarksYieldsNoOutput',
    options: { inputs: [0, 1, 2] },
    events: [
      [0, 25],
      [1, 10],
      [2, 17],
      [0, 12],
      [1, 8],
      [2, 15],
    ],
    rows: [null, null, 10, 10, 10, 10],
  },
  {
    id: 'wmk-06',
    from: 'flink StatusWatermarkValveTest.testMultipleInputWatermarkAdvancingWithPartiallyIdleChannels',
    options: { inputs: [0, 1, 2] },
    events: [
      [0, 15],
      [1, 10],
      [2, 'idle'],
      [1, 18],
      [0, 20],
    ],
    rows: [null, null, 10, 15, 18],
  },
  {
    id: 'wmk-07',
    from: 'flink StatusWatermarkValveTest.testMultipleInputWatermarkAdvancingAsChannelsIndividuallyBecomeIdle',
    options: { inputs: [0, 1, 2] },
    events: [
      [0, 25],
      [1, 10],
      [2, 17],
      [1, 'idle'],
      [2, 'idle'],
    ],
    rows: [null, null, 10, 17, 25],
  },
  {
    id: 'wmk-08',
    from: 'flink WatermarkOutputMultiplexerTest.combinedWatermarkDoesNotRegressWhenIdleOutputRegresses',
    options: { inputs: [0, 1] },
    events: [
      [0, 2],
      [1, 5],
      [0, 'idle'],
      [0, 3],
    ],
    rows: [null, 2, 5, 5],
  },
]

describe('the order of several inputs', () => {
  it.each(merges.map((one) => [one.id, one] as const))('%s', (_id, { events, rows }) => {
    const names = [...new Set(events.map(([input]) => input))].sort()
    const logs = names.map((name) => events.filter(([input]) => input === name))
    const merge = new InputMerge(
      names.map((topic) => ({ topic, maxAdvanceMs: Number.POSITIVE_INFINITY, movesTime: true })),
      null,
      false,
    )
    const nextOffsets = logs.map(() => 0)
    const arrive = (input: number) => {
      const offset = nextOffsets[input] as number
      const record = logs[input]?.[offset]
      if (record !== undefined) merge.arrive(input, offset, record[1])
    }
    const taken: MergeCase['rows'][number][] = []
    for (const input of names.keys()) arrive(input)
    while (taken.length < events.length) {
      const input = merge.next(
        nextOffsets,
        () => true,
        () => true,
      )
      const offset = nextOffsets[input] as number
      const [name, at, , value] = (logs[input] as readonly Arrival[])[offset] as Arrival
      taken.push([name, at, value])
      merge.take(input, nextOffsets)
      nextOffsets[input] = offset + 1
      arrive(input)
    }
    expect(taken).toEqual(rows)
  })
})

describe('the time of several inputs', () => {
  // One that is passed over follows the furthest until it comes back: where nothing comes, time follows a clock.
  it.each(watermarks.map((one) => [one.id, one] as const))('%s', (_id, { options, events, rows }) => {
    const time = new TimeDomain()
    const clocks = new EventClocks(time)
    const all = options.inputs.map((input) => clocks.add(`${input}`))
    const passed = new Set<number>()
    const after = events.map(([input, watermark]) => {
      if (watermark === 'idle') passed.add(input)
      else {
        passed.delete(input)
        all[input]?.advance(watermark)
      }
      const furthest = Math.max(...all.map((clock) => clock.watermark))
      for (const one of passed) all[one]?.advance(furthest)
      return Number.isFinite(time.watermark) ? time.watermark : null
    })
    expect(after).toEqual(rows)
  })
})
