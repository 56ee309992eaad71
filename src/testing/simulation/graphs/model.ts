import { Rejection } from '../../../runtime/codec.ts'
import type { OutgoingRecord } from '../../../runtime/log.ts'
import { RecordView, redriveHeader } from '../../../runtime/record.ts'
import type { Outcome } from '../outcome.ts'
import { mappedAsync } from './buildGraph.ts'
import { type Item, itemCodec, residues } from './item.ts'
import { madeOf } from './plainSteps.ts'
import { foldOf, type GraphPlan, isOutlet, type OutletPlan, type Step, type Stretch, stepsOf } from './plan.ts'

/** Where the outcome is not what a plain function makes of the same records; empty when it is. Says nothing about what lies below the operators that it does not know. */
export function untruthsOfGraph(
  plan: GraphPlan,
  records: readonly OutgoingRecord[],
  outcome: Outcome,
  closesOpen: boolean,
): string[] {
  const model = new GraphModel(plan)
  const partitions = Map.groupBy(records, ({ partition }) => partition)
  for (const ofPartition of partitions.values()) for (const record of ofPartition) model.take(record)
  return model.untruthsOf(outcome, closesOpen)
}

/** Something that a record has brought about; taken back where a step below throws. */
type Effect =
  | { readonly kind: 'row'; readonly outlet: OutletPlan; readonly item: Item }
  | { readonly kind: 'letter'; readonly operator: string }
  | { readonly kind: 'arrival'; readonly window: string }
  | { readonly kind: 'unredriven' }

type Then = (item: Item, redrivenFor: string | null) => void

/** What lets a record pass that was set aside further below. */
const passing: ReadonlySet<Step['kind']> = new Set(['eventTime', 'mapAsync', 'retired', 'dedupe'])

class GraphModel {
  readonly #plan: GraphPlan
  #effects: Effect[] = []
  readonly #outlets: OutletPlan[] = []
  readonly #windows: { readonly name: string; readonly outlet: OutletPlan }[] = []
  readonly #operators = new Set(['decode'])
  /** True once the record has come to where it had been set aside, or somebody answers for it. */
  #hasArrived = false

  constructor(plan: GraphPlan) {
    this.#plan = plan
    this.#find(plan.root)
  }

  take(record: OutgoingRecord): void {
    const value = itemCodec.decode(viewOf(record))
    const header = record.headers?.find(({ key }) => key === redriveHeader)?.value
    const redrivenFor = header == null ? null : Buffer.from(header).toString()
    this.#redriving(redrivenFor, () => {
      if (redrivenFor === 'decode') this.#hasArrived = true
      if (value === undefined) return
      if (value instanceof Rejection) this.#letter('decode')
      else
        this.#emit('decode', () => this.#stretch(this.#plan.root, value, redrivenFor === 'decode' ? null : redrivenFor))
    })
  }

  /** A redriven record that does not come to where it had been set aside is set aside once more. */
  #redriving(redrivenFor: string | null, act: () => void): void {
    const before = this.#hasArrived
    this.#hasArrived = redrivenFor === null
    act()
    if (!this.#hasArrived) this.#effects.push({ kind: 'unredriven' })
    this.#hasArrived = before
  }

  untruthsOf(outcome: Outcome, closesOpen: boolean): string[] {
    const letters = lettersOf(outcome)
    return [
      ...this.#redriveUntruths(outcome),
      ...(closesOpen
        ? (outcome.get('state') ?? []).filter(isTimerLeft).map((line) => `! truth: left after the end: ${line}`)
        : []),
      ...this.#outlets.flatMap((outlet) =>
        compared(outlet.name, this.#rowsOf(outlet), outcome.get(`table ${outlet.name}`) ?? []),
      ),
      ...[...this.#operators].flatMap((name) => {
        const expected = this.#effects.filter((effect) => effect.kind === 'letter' && effect.operator === name).length
        const found = letters.get(name) ?? 0
        return expected === found ? [] : [`! truth: ${name} set ${expected} values aside, found ${found}`]
      }),
      ...(closesOpen
        ? this.#windows.flatMap(({ name, outlet }) =>
            this.#unaccounted(name, outcome.get(`table ${outlet.name}`) ?? [], letters),
          )
        : []),
    ]
  }

  #redriveUntruths(outcome: Outcome): string[] {
    // What a guard holds back is answered for until it is decided about.
    if (stepsOf(this.#plan.root).some((step) => step.kind === 'eventTime' && step.guard !== null)) return []
    const expected = this.#effects.filter(({ kind }) => kind === 'unredriven').length
    const found = (outcome.get('dead letters') ?? []).filter((line) =>
      line.includes('"reason":"not-redrivable"'),
    ).length
    return expected === found ? [] : [`! truth: ${expected} redriven records could not be redriven, found ${found}`]
  }

  /** Every value that came to a window is counted in one or set aside. */
  #unaccounted(window: string, rows: readonly string[], letters: ReadonlyMap<string, number>): string[] {
    const came = this.#effects.filter((effect) => effect.kind === 'arrival' && effect.window === window).length
    const counted = rows.reduce((sum, line) => sum + (JSON.parse(line) as Item).count, 0)
    const setAside = (letters.get(window) ?? 0) + (letters.get(foldOf(window)) ?? 0)
    return came === counted + setAside
      ? []
      : [`! truth: of ${came} values at ${window}, ${counted} were counted and ${setAside} set aside`]
  }

  #rowsOf(outlet: OutletPlan): string[] {
    const items = this.#effects.flatMap((effect) =>
      effect.kind === 'row' && effect.outlet === outlet ? [effect.item] : [],
    )
    if (outlet.mode === 'append') return items.map(lineOf)
    return [...new Map(items.map((item) => [`${item.key}@${item.id}`, item])).values()].map(lineOf)
  }

  /** What of the graph it can tell about: down to the first operator of each branch that it does not know. */
  #find({ steps, end }: Stretch): void {
    const first = steps.findIndex((step) => !isKnown(step))
    const known = first < 0 ? steps : steps.slice(0, first)
    for (const step of known.flatMap((one) => (one.kind === 'diamond' ? one.branches.flat() : [one]))) {
      if ('name' in step && step.kind !== 'batch' && step.kind !== 'retired') this.#operators.add(step.name)
    }
    if (first < 0) {
      if (!isOutlet(end)) for (const stretch of end) this.#find(stretch)
      else {
        this.#outlets.push(end)
        this.#operators.add(end.name)
      }
      return
    }
    const step = steps[first] as Step
    const isTold =
      step.kind === 'window' &&
      step.throwsIn !== 'result' &&
      step.throwsIn !== 'step-on-fired' &&
      isOutlet(end) &&
      end.mode === 'upsert'
    if (isTold && first === steps.length - 1 && end.badColumn === null)
      this.#windows.push({ name: step.name, outlet: end })
  }

  #stretch({ steps, end }: Stretch, item: Item, redrivenFor: string | null): void {
    this.#walk(steps, item, redrivenFor, (last, target) => {
      if (!isOutlet(end)) for (const stretch of end) this.#stretch(stretch, last, target)
      else if (target === null || target === end.name) {
        this.#hasArrived = true
        this.#collect(end, last)
      }
    })
  }

  #walk(steps: readonly Step[], item: Item, redrivenFor: string | null, then: Then): void {
    const [step, ...rest] = steps
    if (step === undefined) {
      then(item, redrivenFor)
      return
    }
    const next: Then = (made, target) => this.#walk(rest, made, target, then)
    switch (step.kind) {
      case 'diamond':
        for (const branch of step.branches) this.#walk(branch, item, redrivenFor, next)
        return
      case 'flatten':
        next(item, redrivenFor)
        return
      case 'filter':
      case 'onlySound':
      case 'map':
      case 'spread':
        for (const made of madeOf(step, item)) next(made, redrivenFor)
        return
      default:
        this.#operator(step, item, redrivenFor, next)
    }
  }

  #operator(step: Extract<Step, { name: string }>, item: Item, redrivenFor: string | null, next: Then): void {
    const target = redrivenFor === step.name ? null : redrivenFor
    if (target !== redrivenFor) this.#hasArrived = true
    if (target !== null && !passing.has(step.kind)) return
    if (step.kind === 'window') this.#effects.push({ kind: 'arrival', window: step.name })
    const isPassedRedriven = target !== null && step.kind === 'dedupe'
    if (!isPassedRedriven && !isKnown(step)) return
    if (step.kind === 'eventTime' && !Number.isSafeInteger(item.at)) this.#letter(step.name)
    else if (step.kind === 'mapAsync') this.#asynchronously(step, item, target, next)
    else this.#emit(step.name, () => next(item, target))
  }

  #asynchronously(step: Extract<Step, { kind: 'mapAsync' }>, item: Item, target: string | null, next: Then): void {
    this.#hasArrived = true
    this.#redriving(target, () => {
      let made: Item | null = null
      try {
        made = mappedAsync(step.throwsOn, item)
      } catch {
        this.#letter(step.name)
      }
      if (made !== null) this.#emit(step.name, () => next(made, target))
    })
  }

  /** A value on which a step below throws is set aside for all that stands below. */
  #emit(operator: string, act: () => void): void {
    const before = this.#effects.length
    try {
      act()
    } catch {
      this.#effects.length = before
      this.#letter(operator)
    }
  }

  #collect(outlet: OutletPlan, item: Item): void {
    if (outlet.badColumn?.on === item.n % residues) this.#letter(outlet.name)
    else this.#effects.push({ kind: 'row', outlet, item })
  }

  #letter(operator: string): void {
    this.#hasArrived = true
    this.#effects.push({ kind: 'letter', operator })
  }
}

function isKnown(step: Step): boolean {
  switch (step.kind) {
    case 'diamond':
      return step.branches.flat().every(isKnown)
    case 'eventTime':
      return step.guard === null
    case 'dedupe':
    case 'window':
    case 'counter':
    case 'silence':
    case 'moves':
    case 'running':
      return false
    default:
      return true
  }
}

/** A timer that was set for a time, though all time has come. */
function isTimerLeft(line: string): boolean {
  return / silence\d+ timers /.test(line)
}

function lettersOf(outcome: Outcome): Map<string, number> {
  const counts = new Map<string, number>()
  for (const line of outcome.get('dead letters') ?? []) {
    const { operator, reason } = JSON.parse(line) as { readonly operator: string; readonly reason: string }
    if (reason !== 'not-redrivable') counts.set(operator, (counts.get(operator) ?? 0) + 1)
  }
  return counts
}

function compared(name: string, expected: readonly string[], found: readonly string[]): string[] {
  const left = [...found]
  const missing = expected.filter((line) => {
    const at = left.indexOf(line)
    if (at >= 0) left.splice(at, 1)
    return at < 0
  })
  return [...missing.map((line) => `- truth ${name}: ${line}`), ...left.map((line) => `+ truth ${name}: ${line}`)]
}

function lineOf({ key, id, at, n, revision, count }: Item): string {
  return JSON.stringify({ key, id: String(id), at: String(at), n, revision, count })
}

function viewOf({ value }: OutgoingRecord): RecordView {
  const view = new RecordView()
  if (value === null) return view
  view.buffer = Buffer.from(value)
  view.valueLength = view.buffer.length
  return view
}
