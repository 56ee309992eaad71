import { describe, expect, it } from 'vitest'
import { graphScheduleOf } from '../../../scripts/simulation/graphSchedule.ts'
import { graphDifferences } from '../../../src/testing/simulation/graphs/graphOutcome.ts'
import { untruthsOfGraph } from '../../../src/testing/simulation/graphs/model.ts'
import {
  describePlan,
  type GraphPlan,
  type OutletPlan,
  type Stretch,
} from '../../../src/testing/simulation/graphs/plan.ts'
import { runGraph } from '../../../src/testing/simulation/graphs/runGraph.ts'
import { type SimulatedRecord, withoutGaps } from '../../../src/testing/simulation/simulate.ts'

const outlet = (name: string, mode: OutletPlan['mode'] = 'append'): OutletPlan => ({
  name,
  into: 'table',
  mode,
  isTuple: false,
  badColumn: null,
  isUnordered: false,
})

const planOf = (root: Stretch): GraphPlan => ({
  isOneTask: false,
  leadSteps: [],
  others: [],
  root,
  archived: [],
  idleAfterMs: null,
  migratesAtStart: null,
  refusedFor: null,
})

/** The records of one input, by partition, in their order. */
const placed = (records: readonly SimulatedRecord[]) =>
  new Map(
    [...Map.groupBy(withoutGaps(records), ({ partition }) => partition)].map(([partition, list]) => [
      partition,
      list.map((record, offset) => ({ input: 0, offset, record })),
    ]),
  )

/** A batch above an asynchronous map, beside windows that are counted. */
const plan = planOf({
  steps: [{ kind: 'onlySound' }, { kind: 'eventTime', name: 'eventTime1', maxOutOfOrdernessMs: 0, guard: null }],
  end: [
    {
      steps: [
        { kind: 'batch', name: 'batch1', maxCount: 3 },
        { kind: 'mapAsync', name: 'mapAsync1', concurrency: 2, mostMs: 50, retries: true, throwsOn: null },
      ],
      end: outlet('taps'),
    },
    {
      steps: [
        {
          kind: 'window',
          name: 'window1',
          sizeMs: 1_000,
          allowedLatenessMs: 0,
          provisionalEveryMs: null,
          throwsIn: null,
          throwsOn: 0,
        },
      ],
      end: outlet('counts', 'upsert'),
    },
  ],
})

const drawn = graphScheduleOf(4)
const schedule = {
  ...drawn,
  plan,
  input: { ...drawn.input, records: withoutGaps(drawn.input.records), others: [], otherPartitions: [] },
  closesOpen: true,
}

async function outcomeOf() {
  const { differences, result } = await runGraph(schedule)
  expect(differences).toEqual([])
  return result?.outcome ?? new Map<string, readonly string[]>()
}

describe('a drawn graph', () => {
  it('can be read by a human', () => {
    expect(describePlan(plan)).toBe(
      'decode → onlySound → eventTime1(maxOutOfOrdernessMs 0) → ' +
        '[batch1(maxCount 3) → mapAsync1(concurrency 2, mostMs 50, retries true) → taps(table, append) | ' +
        'window1(sizeMs 1000, allowedLatenessMs 0, throwsOn 0) → counts(table, upsert)]',
    )
  })

  it('is found out where both runs lose the same rows, or write one twice', async () => {
    const outcome = await outcomeOf()
    const rows = outcome.get('table taps') ?? []
    const without = new Map([...outcome, ['table taps', rows.slice(0, -1)] as const])
    const twice = new Map([...outcome, ['table taps', [...rows, ...rows.slice(0, 1)]] as const])
    const records = placed(schedule.input.records)
    expect(untruthsOfGraph(schedule, records, outcome, true)).toEqual([])
    expect(untruthsOfGraph(schedule, records, without, true)).toEqual([`- truth taps: ${rows.at(-1)}`])
    expect(untruthsOfGraph(schedule, records, twice, true)).toEqual([`+ truth taps: ${rows[0]}`])
  })

  it('is found out where both runs lose the result of a window, set a value aside or leave something open', async () => {
    const outcome = await outcomeOf()
    const counts = outcome.get('table counts') ?? []
    const letters = outcome.get('dead letters') ?? []
    const late = JSON.stringify({ operator: 'window1', reason: 'late' })
    const changed = new Map([
      ...outcome,
      ['table counts', counts.slice(1)] as const,
      ['dead letters', [...letters, late]] as const,
      ['idle advances', []] as const,
    ])
    const untruths = untruthsOfGraph(schedule, placed(schedule.input.records), changed, true)
    expect(untruths).toContainEqual(`- truth counts: ${counts[0]}`)
    expect(untruths).toContainEqual(expect.stringMatching(/^! truth: window1 sets \d+ values aside, found \d+$/))
    expect(untruths).toContainEqual('! truth: window1 is still open')
  })

  it('is found out where both runs lose a message or send two of one key in another order, or an archive lacks records', async () => {
    const root: Stretch = { steps: [{ kind: 'onlySound' }], end: { ...outlet('alerts'), into: 'topic' } }
    const sending = { ...planOf(root), archived: [0] }
    const run = { ...schedule, plan: sending }
    const { differences, result } = await runGraph(run)
    expect(differences).toEqual([])
    const outcome = result?.outcome ?? new Map<string, readonly string[]>()
    const records = placed(run.input.records)
    const lines = outcome.get('topic alerts') ?? []
    const keyOf = (line: string) => (JSON.parse(line) as { readonly key: string }).key
    const other = lines.findIndex((line, i) => i > 0 && line !== lines[0] && keyOf(line) === keyOf(lines[0] ?? ''))
    const turned = lines.with(0, lines[other] ?? '').with(other, lines[0] ?? '')
    const untruthsOf = (changed: Iterable<readonly [string, readonly string[]]>) =>
      untruthsOfGraph(run, records, new Map([...outcome, ...changed]), true)
    expect(untruthsOf([])).toEqual([])
    expect(untruthsOf([['topic alerts', lines.slice(1)]])).toContainEqual(expect.stringMatching(/^- truth alerts: /))
    expect(untruthsOf([['topic alerts', turned]])).toContainEqual(expect.stringMatching(/^- truth alerts of .*, 0: /))
    expect(untruthsOf([['manifest', (outcome.get('manifest') ?? []).slice(1)]])).toContainEqual(
      expect.stringMatching(/^! truth: the archive of items has \d+ of \d+ records$/),
    )
    expect(graphDifferences(run, outcome, new Map([...outcome, ['topic alerts', turned]]))).not.toEqual([])
  })

  it('is found out where rows change places within a partition, which a comparison of sets would miss', async () => {
    const outcome = await outcomeOf()
    const [first, second, ...rest] = (outcome.get('table taps') ?? []).filter((line) => line.startsWith('{"key":"0'))
    const one = new Map([['table taps', [first ?? '', second ?? '', ...rest]]])
    const other = new Map([['table taps', [second ?? '', first ?? '', ...rest]]])
    expect(graphDifferences(schedule, one, one)).toEqual([])
    expect(graphDifferences(schedule, one, other)).toEqual([
      `- table taps, row 0 of partition 0: ${first}`,
      `+ table taps, row 0 of partition 0: ${second}`,
    ])
  })
})
