import { mappedAsync } from './buildGraph.ts'
import { enriched, type Item, residueOf, residues } from './item.ts'
import { type NaiveOperator, throws } from './naiveOperator.ts'
import { naiveOperator } from './naiveOperators.ts'
import { madeOf } from './plainSteps.ts'
import {
  allSteps,
  decoderOf,
  foldOf,
  type GraphPlan,
  isOutlet,
  isWindow,
  type OutletPlan,
  type Step,
  type Stretch,
  type TablePlan,
  takesBack,
} from './plan.ts'

/** A value on its way: its event time, and the operator that its record is redriven for. */
interface Passing {
  readonly item: Item
  readonly at: number
  readonly target: string | null
}

/** Where values come to. */
interface Place {
  take(value: Passing): void
  /** True when a record that is redriven for the target comes there from here. */
  leadsTo(target: string): boolean
  /** True when a step of RxJS between here and the next operators throws on the value: then nothing below has it. */
  refuses(item: Item): boolean
}

type NamedStep = Extract<Step, { readonly name: string }>

/**
 * A drawn graph over the records of one partition, in the most direct way: nothing is saved, nothing waits, batches and asynchronous calls let through at once. It says
 * nothing about what stands below a guard against leaps or a lookup.
 */
export class NaiveGraph {
  readonly rows = new Map<OutletPlan, Item[]>()
  /** How many values each operator or outlet has set aside, as far as it can say. */
  readonly setAside = new Map<string, number>()
  /** Redriven records that did not come to where they had been set aside. */
  unredriven = 0
  readonly #operators: { readonly name: string; readonly operator: NaiveOperator }[] = []
  readonly #plan: GraphPlan
  /** What stands below the decoder of each input. */
  readonly #inputs: readonly Place[]
  readonly #tables = new Map<string, Map<string, number>>()
  /** Where there are several: how far each time has come, by the name of its operator. */
  readonly #clocks = new Map<string, number>()
  /** True once the record has come to where it had been set aside, or somebody answers for it. */
  #hasArrived = true
  #isToldElsewhere = false
  /** While it is only looked how far a redriven record comes: how many values of it have come there. */
  #arrivals: number | null = null
  /** How far each task above has said to be, by its number. */
  readonly #marks = new Map<number, number>()
  #watermark = Number.NEGATIVE_INFINITY
  #before = Number.NEGATIVE_INFINITY
  /** Whose turn it is while time moves. */
  #turn = Number.POSITIVE_INFINITY

  /** False while that is built which values come to from below a guard. */
  #isKnown = true

  constructor(plan: GraphPlan) {
    this.#plan = plan
    const inputSteps = [plan.leadSteps, ...plan.others.map(({ steps }) => steps)]
    this.#know(...inputSteps.map((_, input) => decoderOf(plan, input)))
    const times = allSteps(plan).filter((step) => step.kind === 'eventTime')
    if (times.length > 1) for (const { name } of times) this.#clocks.set(name, Number.NEGATIVE_INFINITY)
    for (const { table } of plan.others) if (table !== null) this.#know(table.name)
    this.#isKnown = !inputSteps.flat().some(hidesWhatFollows)
    const root = this.#stretch(plan.root)
    this.#isKnown = true
    this.#inputs = inputSteps.map((steps, input) => {
      const table = plan.others[input - 1]?.table ?? null
      return table === null ? this.#steps(steps, () => root) : this.#table(table)
    })
  }

  /**
   * @param item null for a record that its codec rejects, undefined for one that holds nothing
   * @param isToldElsewhere true where another task says what of the record is set aside
   */
  push(item: Item | null | undefined, redrivenFor: string | null, input = 0, isToldElsewhere = false): void {
    this.#isToldElsewhere = isToldElsewhere
    this.#push(item, redrivenFor, input)
    this.#isToldElsewhere = false
  }

  #push(item: Item | null | undefined, redrivenFor: string | null, input: number): void {
    const decoder = decoderOf(this.#plan, input)
    const below = this.#inputs[input] as Place
    this.#redriving(redrivenFor, () => {
      if (redrivenFor === decoder) this.#hasArrived = true
      const target = redrivenFor === decoder ? null : redrivenFor
      if (target !== null && !below.leadsTo(target)) return
      if (item === null) this.#reject(decoder)
      if (item == null) return
      const value = { item, at: Number.NaN, target }
      const emit = () => this.#emit(decoder, below, value)
      if (target === null || this.#arrivalsOf(emit) <= 1) emit()
    })
  }

  /** What a task above has said: time is the least of what all of them said last, once all have said something. */
  mark({
    task,
    tasks,
    watermark,
  }: {
    readonly task: number
    readonly tasks: number
    readonly watermark: number | null
  }): void {
    this.#marks.set(task, watermark ?? Number.NEGATIVE_INFINITY)
    if (this.#marks.size === tasks) this.advance(Math.min(...this.#marks.values()))
  }

  /** @param clock which of several times moves; left out, all of them do */
  advance(watermark: number, clock?: string): void {
    if (this.#clocks.size === 0) this.#advance(watermark)
    if (this.#clocks.size === 0) return
    for (const [name, before] of this.#clocks) {
      if (clock === undefined || clock === name) this.#clocks.set(name, Math.max(before, watermark))
    }
    this.#advance(clock === undefined ? watermark : Math.min(...this.#clocks.values()))
  }

  #advance(watermark: number): void {
    if (watermark <= this.#watermark) return
    this.#before = this.#watermark
    this.#watermark = watermark
    for (const [turn, { operator }] of this.#operators.entries()) {
      this.#turn = turn
      operator.onMove?.(watermark, this.#before)
    }
    this.#turn = Number.POSITIVE_INFINITY
  }

  end(): void {
    for (const { operator } of this.#operators) operator.onEnd?.()
  }

  /** Names of the operators that have something open, as far as it can say. */
  get open(): readonly string[] {
    const known = this.#operators.filter(({ name }) => this.setAside.has(name))
    return known.filter(({ operator }) => operator.isOpen?.() === true).map(({ name }) => name)
  }

  #stretch({ steps, end }: Stretch): Place {
    const wasKnown = this.#isKnown
    const place = this.#steps(steps, () =>
      isOutlet(end) ? this.#outlet(end) : fork(end.map((stretch) => this.#stretch(stretch))),
    )
    this.#isKnown = wasKnown
    return place
  }

  #know(...names: readonly string[]): void {
    if (this.#isKnown) for (const name of names) this.setAside.set(name, 0)
  }

  /** What stands below is made after what stands above, so that time comes to it later. */
  #steps(steps: readonly Step[], below: () => Place): Place {
    const [step, ...rest] = steps
    if (step === undefined) return below()
    const next = () => this.#steps(rest, below)
    switch (step.kind) {
      case 'diamond': {
        let end: Place = nowhere
        const meeting: Place = {
          take: (value) => end.take(value),
          leadsTo: (target) => end.leadsTo(target),
          refuses: (item) => end.refuses(item),
        }
        const branches = step.branches.map((branch) => this.#steps(branch, () => meeting))
        if (step.branches.flat().some(hidesWhatFollows)) this.#isKnown = false
        end = next()
        return fork(branches)
      }
      case 'flatten':
        return next()
      case 'filter':
      case 'onlySound':
      case 'map':
      case 'spread':
        return plain(step, next())
      case 'dedupe':
      case 'window':
      case 'hops':
      case 'session':
      case 'lots':
      case 'join':
      case 'asOf':
      case 'inOrder':
      case 'counter':
      case 'silence':
      case 'moves':
      case 'running':
        return this.#keeping(step, next)
      default:
        return this.#passing(step, next)
    }
  }

  #keeping(step: Parameters<typeof naiveOperator>[0], below: () => Place): Place {
    let next: Place = nowhere
    const turn = this.#operators.length
    const name = isWindow(step) ? foldOf(step.name) : step.name
    const operator = naiveOperator(step, {
      emit: (item, at) => this.#emit(name, next, { item, at, target: null }),
      setAside: (by) => this.#reject(by),
      watermark: () => (turn > this.#turn ? this.#before : this.#watermark),
    })
    this.#operators.push({ name: step.name, operator })
    this.#know(step.name, name)
    next = below()
    const passes = step.kind === 'dedupe' || step.kind === 'inOrder'
    return this.#operator(step, passes ? next : nowhere, (value) => {
      if (value.target === null) operator.take(value.item, value.at)
      else this.#emit(name, next, value)
    })
  }

  /** An operator that keeps nothing from one value to the next. */
  #passing(step: Exclude<NamedStep, Parameters<typeof naiveOperator>[0]>, below: () => Place): Place {
    if (hidesWhatFollows(step)) return this.#hiding(step, below)
    this.#know(step.name)
    const next = below()
    return this.#operator(step, step.kind === 'batch' ? nowhere : next, (value) => {
      switch (step.kind) {
        case 'eventTime':
          return this.#timed(step, next, value)
        case 'upstreamTime':
          if (Number.isSafeInteger(value.item.at)) this.#emit(step.name, next, { ...value, at: value.item.at })
          else this.#reject(step.name)
          return
        case 'mapAsync':
          return this.#later(value, () => {
            if (throws(step.throwsOn, value.item)) this.#reject(step.name)
            else this.#emit(step.name, next, { ...value, item: mappedAsync(null, value.item), at: Number.NaN })
          })
        case 'enrich':
          return this.#enriched(step, next, value)
        case 'retired':
          return this.#emit(step.name, next, value)
        case 'batch':
          return this.#emit(step.name, next, { ...value, at: Number.NaN })
      }
    })
  }

  /** What comes of its values is not known; where they lead is. */
  #hiding(step: NamedStep, below: () => Place): Place {
    const wasKnown = this.#isKnown
    this.#isKnown = false
    const next = below()
    this.#isKnown = wasKnown
    return this.#operator(step, next, (value) => {
      if (step.kind === 'lookup') this.#later(value, () => this.#answerFor())
      else this.#answerFor()
    })
  }

  /** An asynchronous call lets the value through, and it is looked again how far that comes. */
  #later({ target }: Passing, act: () => void): void {
    if (this.#arrivals !== null) {
      this.#arrivals += 1
      return
    }
    this.#hasArrived = true
    this.#redriving(target, () => {
      if (target === null || this.#arrivalsOf(act) <= 1) act()
    })
  }

  #timed(
    { name, maxOutOfOrdernessMs }: Extract<Step, { kind: 'eventTime' }>,
    next: Place,
    { item, target }: Passing,
  ): void {
    if (!Number.isSafeInteger(item.at)) this.#reject(name)
    else {
      this.#emit(name, next, { item, at: item.at, target })
      if (target === null) this.advance(item.at - maxOutOfOrdernessMs - 1, name)
    }
  }

  /** The newest row of each key; a table has nothing below. */
  #table({ name, removesOn, throwsOn }: TablePlan): Place {
    const rows = this.#rowsOf(name)
    return this.#operator({ name }, nowhere, ({ item }) => {
      if (throws(throwsOn, item)) this.#reject(name)
      else if (residueOf(item) === removesOn) rows.delete(item.key)
      else rows.set(item.key, item.n)
    })
  }

  #rowsOf(table: string): Map<string, number> {
    const rows = this.#tables.get(table) ?? new Map<string, number>()
    this.#tables.set(table, rows)
    return rows
  }

  #enriched(step: Extract<Step, { kind: 'enrich' }>, next: Place, value: Passing): void {
    if (throws(step.throwsOn, value.item)) {
      this.#reject(step.name)
      return
    }
    const item = enriched({ ...step, throwsOn: null }, value.item, this.#rowsOf(step.table).get(value.item.key))
    if (item !== null) this.#emit(step.name, next, { ...value, item })
  }

  /** @param below where a record goes that is redriven for what stands there; nowhere where it is not let through */
  #operator({ name }: { readonly name: string }, below: Place, take: (value: Passing) => void): Place {
    return {
      take: (value) => {
        if (value.target !== name) {
          if (value.target === null || below.leadsTo(value.target)) take(value)
        } else if (this.#arrivals !== null) this.#arrivals += 1
        else {
          this.#hasArrived = true
          take({ ...value, target: null })
        }
      },
      leadsTo: (target) => target === name || below.leadsTo(target),
      refuses: () => false,
    }
  }

  #outlet(outlet: OutletPlan): Place {
    const rows: Item[] = []
    if (this.#isKnown) this.rows.set(outlet, rows)
    const name = `outlet ${outlet.name}`
    this.#know(name)
    return {
      take: ({ item, target }) => {
        if (target !== null && target !== name) return
        if (this.#arrivals !== null) {
          this.#arrivals += 1
          return
        }
        this.#hasArrived = true
        if (outlet.badColumn?.on === item.n % residues && !isSpared(outlet, item)) this.#reject(name)
        else rows.push(item)
      },
      leadsTo: (target) => target === name,
      refuses: () => false,
    }
  }

  /** Of several values nobody knows which was set aside, so that the record is not taken. */
  #arrivalsOf(act: () => void): number {
    this.#arrivals = 0
    act()
    const arrivals = this.#arrivals
    this.#arrivals = null
    return arrivals
  }

  #emit(operator: string, next: Place, value: Passing): void {
    if (next.refuses(value.item)) this.#reject(operator)
    else next.take(value)
  }

  #reject(name: string): void {
    if (this.#arrivals !== null) return
    this.#answerFor()
    const before = this.setAside.get(name)
    if (before !== undefined && !this.#isToldElsewhere) this.setAside.set(name, before + 1)
  }

  #answerFor(): void {
    this.#hasArrived = true
  }

  #redriving(target: string | null, act: () => void): void {
    const before = this.#hasArrived
    this.#hasArrived = target === null
    act()
    if (!this.#hasArrived && !this.#isToldElsewhere) this.unredriven += 1
    this.#hasArrived = before
  }
}

/** Of what takes a row back the column is not looked at, nor is a value made of what takes one back; its time is. */
function isSpared(outlet: OutletPlan, item: Item): boolean {
  return takesBack(outlet, item) && (outlet.into === 'table' || outlet.badColumn?.how === 'throws')
}

/** True where more than the records and their times decides what comes of a value: those that a guard waits for, what somebody outside has said, or whose turn it is when rows go by time. */
export function hidesWhatFollows(step: Step): boolean {
  return (
    step.kind === 'lookup' ||
    (step.kind === 'enrich' && step.isAging) ||
    (step.kind === 'eventTime' && step.guard !== null)
  )
}

const nowhere: Place = { take: () => undefined, leadsTo: () => false, refuses: () => false }

function fork(branches: readonly Place[]): Place {
  return {
    take: (value) => {
      for (const branch of branches) branch.take(value)
    },
    leadsTo: (target) => branches.some((branch) => branch.leadsTo(target)),
    refuses: (item) => branches.some((branch) => branch.refuses(item)),
  }
}

function plain(step: Parameters<typeof madeOf>[0], next: Place): Place {
  return {
    take: (value) => {
      for (const item of madeOf(step, value.item)) next.take({ ...value, item })
    },
    leadsTo: (target) => next.leadsTo(target),
    refuses: (item) =>
      (step.kind === 'map' && throws(step.throwsOn, item)) || madeOf(step, item).some((made) => next.refuses(made)),
  }
}
