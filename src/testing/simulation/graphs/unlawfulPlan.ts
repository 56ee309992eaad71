import type { Random } from '../../random.ts'
import type { GraphPlan, OtherInput, OutletPlan, Step, TablePlan } from './plan.ts'

/** Draws a graph that cannot be made exact, in one of the ways in which it must be refused. Every value comes to where that shows. */
export function drawUnlawfulPlan(random: Random): GraphPlan {
  const { why, steps, table } = random.pick(waysToBeRefused)(random)
  const others: readonly OtherInput[] =
    table === undefined ? [] : [{ topic: 'changes', idleAfterMs: null, steps: [], table, isWhole: false }]
  return {
    isOneTask: false,
    leadSteps: [],
    others,
    root: { steps, end: outlet },
    archived: [],
    idleAfterMs: null,
    migratesAtStart: null,
    refusedFor: why,
  }
}

type Way = (random: Random) => {
  readonly why: string
  readonly steps: readonly Step[]
  /** What `enrich` reads. */
  readonly table?: TablePlan
}

const outlet: OutletPlan = {
  name: 'out1',
  into: 'table',
  mode: 'append',
  isTuple: false,
  badColumn: null,
  isUnordered: true,
}
const time: Step = { kind: 'eventTime', name: 'eventTime1', maxOutOfOrdernessMs: 0, guard: null }
const sound: Step = { kind: 'onlySound' }

const waysToBeRefused: readonly Way[] = [
  (random) => ({ why: 'needs time where there is none', steps: [sound, needingTime(random)] }),
  (random) => ({
    why: 'needs time below a loose operator',
    steps: [sound, time, ...loose(random), needingTime(random)],
  }),
  (random) => ({ why: 'has two times', steps: [sound, time, { ...time, name: 'eventTime2' }, needingTime(random)] }),
  (random) => ({
    why: 'depends on the order of loose values and others',
    steps: [
      sound,
      ...(random.chance(0.5) ? [time] : []),
      { kind: 'diamond', branches: random.shuffle([[], loose(random)]) },
      random.pick<Step>([
        { kind: 'running', name: 'running1' },
        { kind: 'counter', name: 'counter1', throwsOn: null },
      ]),
    ],
  }),
  (random) => ({
    why: 'makes something lasting of results of open windows',
    steps: [sound, time, early(random), { kind: 'inOrder', name: 'inOrder1' }],
  }),
  (random) => ({
    why: 'has a table whose rows go by a time that moves below a loose operator',
    table: { name: 'table1', removesOn: 0, throwsOn: null, ttlMs: 300 },
    steps: [
      sound,
      { kind: 'enrich', name: 'enrich1', table: 'table1', needsRow: false, isAging: true, throwsOn: null },
      ...loose(random),
      time,
    ],
  }),
  () => ({
    why: 'has two operators of one name',
    steps: [
      { kind: 'running', name: 'twice' },
      { kind: 'counter', name: 'twice', throwsOn: null },
    ],
  }),
]

function loose(random: Random): readonly Step[] {
  const mapAsync: Step = {
    kind: 'mapAsync',
    name: 'mapAsync1',
    concurrency: random.int(1, 3),
    mostMs: 5,
    retries: false,
    throwsOn: null,
  }
  return random.chance(0.5)
    ? [mapAsync]
    : [{ kind: 'batch', name: 'batch1', maxCount: random.int(1, 3) }, { kind: 'flatten' }]
}

function early(random: Random): Step {
  return {
    ...{ kind: 'window', name: 'window1', sizeMs: 1_000, allowedLatenessMs: 0, throwsIn: null, throwsOn: 0 },
    ...(random.chance(0.5)
      ? { provisionalEveryMs: 0 }
      : { provisionalEveryMs: null, early: random.pick([{ everyValues: 2 }, { everyMs: 100 }]) }),
  }
}

function needingTime(random: Random): Step {
  return random.pick<Step>([
    { kind: 'dedupe', name: 'dedupe1', ids: 'set', ttlMs: 1_000, throwsOn: null },
    { kind: 'dedupe', name: 'dedupe1', ids: 'ranges', ttlMs: 1_000, throwsOn: null },
    {
      kind: 'window',
      name: 'window1',
      sizeMs: 1_000,
      allowedLatenessMs: 0,
      provisionalEveryMs: null,
      throwsIn: null,
      throwsOn: 0,
    },
    { kind: 'silence', name: 'silence1', afterMs: 300 },
  ])
}
