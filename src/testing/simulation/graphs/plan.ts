import { type Item, residueOf } from './item.ts'

/** An operator or a plain step of a drawn graph: what the seed has decided about it, as data. */
export type Step =
  | {
      readonly kind: 'eventTime'
      readonly name: string
      readonly maxOutOfOrdernessMs: number
      readonly guard: Guard | null
    }
  /** In place of it, where the records are those that a pipeline above has sent. */
  | { readonly kind: 'upstreamTime'; readonly name: string }
  | { readonly kind: 'filter'; readonly without: number }
  | { readonly kind: 'onlySound' }
  | { readonly kind: 'map'; readonly plus: number; readonly throwsOn: number | null }
  | { readonly kind: 'spread'; readonly by: 'mergeMap' | 'concatMap' | 'concatAll'; readonly copiesOn: number }
  | { readonly kind: 'diamond'; readonly branches: readonly (readonly Step[])[] }
  | {
      readonly kind: 'dedupe'
      readonly name: string
      readonly ids: 'set' | 'ranges'
      readonly ttlMs: number
      readonly throwsOn: number | null
    }
  | {
      readonly kind: 'window'
      readonly name: string
      readonly sizeMs: number
      readonly allowedLatenessMs: number
      readonly provisionalEveryMs: number | null
      /** Results of open windows by the data; none where it is left out. */
      readonly early?: { readonly everyValues: number } | { readonly everyMs: number }
      /** In a callback, or in a step of RxJS between window and fold: on values, or on the window's firing. */
      readonly throwsIn: 'by' | 'add' | 'result' | 'step' | 'step-on-fired' | null
      readonly throwsOn: number
    }
  | {
      readonly kind: 'hops'
      readonly name: string
      readonly sizeMs: number
      readonly hopMs: number
      readonly allowedLatenessMs: number
    }
  | {
      readonly kind: 'session'
      readonly name: string
      readonly gapMs: number
      readonly maxMs: number | null
      readonly allowedLatenessMs?: number
      readonly throwsOn: number | null
    }
  | { readonly kind: 'lots'; readonly name: string; readonly size: number; readonly maxWaitMs: number }
  /** Joins the values of some residues with the others. */
  | {
      readonly kind: 'join'
      readonly name: string
      readonly fromMs: number
      readonly toMs: number
      readonly how: 'inner' | 'left' | 'outer'
      readonly throwsOn: number | null
    }
  | { readonly kind: 'asOf'; readonly name: string; readonly keepMs: number; readonly throwsOn: number | null }
  | { readonly kind: 'inOrder'; readonly name: string }
  | { readonly kind: 'batch'; readonly name: string; readonly maxCount: number }
  | { readonly kind: 'flatten' }
  | {
      readonly kind: 'mapAsync'
      readonly name: string
      readonly concurrency: number
      readonly mostMs: number
      readonly retries: boolean
      readonly throwsOn: number | null
    }
  | {
      readonly kind: 'lookup'
      readonly name: string
      readonly concurrency: number
      readonly mostMs: number
      readonly cache: {
        readonly maxEntries: number
        readonly ttlMs?: number
        readonly missTtlMs?: number
      } | null
      readonly perSecond: number | null
      readonly throwsOn: number | null
    }
  | { readonly kind: 'counter'; readonly name: string; readonly throwsOn: number | null }
  | { readonly kind: 'silence'; readonly name: string; readonly afterMs: number }
  | { readonly kind: 'moves'; readonly name: string; readonly everyMs: number }
  | { readonly kind: 'running'; readonly name: string }
  | {
      readonly kind: 'enrich'
      readonly name: string
      readonly table: string
      /** Values without a row are passed on as they are, or not at all. */
      readonly needsRow: boolean
      /** Rows go by time, hence depend on whose turn it is when time moves. */
      readonly isAging: boolean
      readonly throwsOn: number | null
    }
  /** Passes values on and is taken away by the second version of a pipeline. */
  | { readonly kind: 'retired'; readonly name: string }

export interface Guard {
  readonly maxAdvanceMs: number
  readonly confirmations: number
}

export type StepKind = Step['kind']

export const stepKinds = [
  'eventTime',
  'filter',
  'onlySound',
  'map',
  'spread',
  'diamond',
  'dedupe',
  'window',
  'hops',
  'session',
  'lots',
  'join',
  'asOf',
  'inOrder',
  'batch',
  'flatten',
  'mapAsync',
  'lookup',
  'counter',
  'silence',
  'moves',
  'running',
  'enrich',
  'retired',
] as const satisfies readonly StepKind[]

/** Where a branch ends. */
export interface OutletPlan {
  readonly name: string
  /** A table, a topic, or a destination that keeps no place. */
  readonly into: 'table' | 'topic' | 'outside'
  readonly mode: 'append' | 'upsert'
  /** Rows are arrays instead of objects. */
  readonly isTuple: boolean
  /** A column throws, or gives what is not of its type, for values of one residue; of a message its bytes, or its time. */
  readonly badColumn: { readonly how: 'throws' | 'wrong-type'; readonly on: number } | null
  /** Values of this residue take their key and id back; none where it is left out. */
  readonly takesBackOn?: number
  /** Of a topic with markers, which another pipeline reads: how many partitions it has. */
  readonly hopPartitions?: number
  /** Values of asynchronous branches meet in it, so their order is nobody's promise. */
  readonly isUnordered: boolean
}

/** A stretch of the graph: steps, then an outlet or several stretches that share what comes. */
export interface Stretch {
  readonly steps: readonly Step[]
  readonly end: OutletPlan | readonly Stretch[]
}

/** An input beside the leading one. */
export interface OtherInput {
  readonly topic: string
  /** Null for one that is waited for. */
  readonly idleAfterMs: number | null
  /** What its values go through before they meet those of the others. */
  readonly steps: readonly Step[]
  /** Its values are changes of a table; null where they meet those of the others. */
  readonly table: TablePlan | null
  /** True for a table that every task reads whole. */
  readonly isWhole: boolean
}

/** A table that `enrich` looks up. */
export interface TablePlan {
  readonly name: string
  /** Values of this residue take their row away. */
  readonly removesOn: number
  readonly throwsOn: number | null
  /** How long a row stays that is not refreshed; null for good. */
  readonly ttlMs: number | null
}

/** A graph that a seed has drawn. */
export interface GraphPlan {
  /** True where one task reads all partitions. */
  readonly isOneTask: boolean
  /** What the values of the leading input go through before they meet those of the others. */
  readonly leadSteps: readonly Step[]
  readonly others: readonly OtherInput[]
  readonly root: Stretch
  /** Inputs whose raw records are kept. */
  readonly archived: readonly number[]
  readonly idleAfterMs: number | null
  /** From this start on the pipeline is built in its second version; null for never. */
  readonly migratesAtStart: number | null
  /** Why the graph must be refused; null for a lawful one. */
  readonly refusedFor: string | null
}

/** Whether the value takes back what the outlet has had: a table that is only added to takes all values for rows. */
export function takesBack({ into, mode, takesBackOn }: OutletPlan, item: Item): boolean {
  const canTakeBack = into !== 'table' || mode === 'upsert'
  return canTakeBack && (item.isGone === true || residueOf(item) === takesBackOn)
}

export function isOutlet(end: Stretch['end']): end is OutletPlan {
  return !Array.isArray(end)
}

export function outletsOf({ end }: Stretch): readonly OutletPlan[] {
  return isOutlet(end) ? [end] : end.flatMap(outletsOf)
}

/** Every step of the graph, also those within diamonds, in the order of the graph. */
export function allSteps({ leadSteps, others, root }: GraphPlan): readonly Step[] {
  return [...leadSteps, ...others.flatMap(({ steps }) => steps), ...stepsOf(root)]
}

/** The same of a stretch. */
export function stepsOf({ steps, end }: Stretch): readonly Step[] {
  return [...steps.flatMap(withInner), ...(isOutlet(end) ? [] : end.flatMap(stepsOf))]
}

function withInner(step: Step): readonly Step[] {
  return step.kind === 'diamond' ? [step, ...step.branches.flat().flatMap(withInner)] : [step]
}

/** Names of the graph's operators that both editions have. */
export function operatorsOf(plan: GraphPlan): readonly string[] {
  const ofSteps = allSteps(plan).flatMap((step) =>
    isWindow(step) ? [step.name, foldOf(step.name)] : 'name' in step && step.kind !== 'retired' ? [step.name] : [],
  )
  return [...ofSteps, ...plan.others.flatMap(({ table }) => (table === null ? [] : [table.name]))]
}

/** The operator that decodes the records of an input. */
export function decoderOf(plan: GraphPlan, input: number): string {
  return input === 0 ? 'decode' : `decode ${plan.others[input - 1]?.topic}`
}

/** True for a step that puts values into windows, with a fold below it. */
export function isWindow(step: Step): step is Extract<Step, { readonly kind: 'window' | 'hops' | 'session' | 'lots' }> {
  return ['window', 'hops', 'session', 'lots'].includes(step.kind)
}

/** The name of the fold that stands below a window. */
export function foldOf(window: string): string {
  return `${window}-fold`
}

/** The graph in one line: `decode → eventTime 500ms → [dedupe → window 5s → counts | batch 3 → rows]`. */
export function describePlan(plan: GraphPlan): string {
  const idle = plan.idleAfterMs === null ? '' : ` (idle after ${plan.idleAfterMs} ms)`
  const migrates = plan.migratesAtStart === null ? '' : ` (second version from start ${plan.migratesAtStart})`
  const refused = plan.refusedFor === null ? '' : ` (to be refused: ${plan.refusedFor})`
  const tasks = plan.isOneTask ? ' (one task)' : ''
  const lead = ['decode', ...plan.leadSteps.map(describeStep)].join(' → ')
  const others = plan.others.map(
    ({ topic, idleAfterMs, steps, table, isWhole }) =>
      ` & ${[`${topic}(idle after ${idleAfterMs}${isWhole ? ', whole' : ''})`, ...steps.map(describeStep), ...(table === null ? [] : [`table ${JSON.stringify(table)}`])].join(' → ')}`,
  )
  const archived = plan.archived.length === 0 ? '' : ` (archives of ${plan.archived.join(', ')})`
  return `${lead}${others.join('')} → ${describeStretch(plan.root)}${archived}${tasks}${idle}${migrates}${refused}`
}

function describeStretch({ steps, end }: Stretch): string {
  const last = isOutlet(end) ? describeOutlet(end) : `[${end.map(describeStretch).join(' | ')}]`
  return [...steps.map(describeStep), last].join(' → ')
}

function describeOutlet(outlet: OutletPlan): string {
  const { name, into, mode, isTuple, badColumn, takesBackOn, hopPartitions, isUnordered } = outlet
  const notes = [
    hopPartitions === undefined ? '' : `a hop into ${hopPartitions}`,
    isTuple ? 'tuples' : '',
    badColumn === null ? '' : `column ${badColumn.how} on ${badColumn.on}`,
    takesBackOn === undefined ? '' : `takes back on ${takesBackOn}`,
    isUnordered ? 'any order' : '',
  ]
  return `${name}(${[into, mode, ...notes.filter((note) => note !== '')].join(', ')})`
}

function describeStep(step: Step): string {
  if (step.kind === 'diamond') {
    return `<${step.branches.map((steps) => (steps.length === 0 ? '·' : steps.map(describeStep).join(' → '))).join(' | ')}>`
  }
  const options = Object.entries(step)
    .filter(([name, value]) => name !== 'kind' && name !== 'name' && value !== null)
    .map(([name, value]) => `${name} ${typeof value === 'object' ? JSON.stringify(value) : value}`)
  const name = 'name' in step ? step.name : step.kind
  return options.length === 0 ? name : `${name}(${options.join(', ')})`
}
