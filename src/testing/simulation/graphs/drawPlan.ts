import type { Random } from '../../random.ts'
import { unreachableMs } from './buildGraph.ts'
import { residues } from './item.ts'
import {
  allSteps,
  type GraphPlan,
  type Guard,
  type OtherInput,
  type OutletPlan,
  type Step,
  type Stretch,
  type TablePlan,
} from './plan.ts'

export interface DrawOptions {
  /** What only a task can do: idle steps, a second edition, provisional results, columns that fail, steps that throw. */
  readonly isForTask: boolean
  /** `below` where the records are those that a pipeline above has sent, with markers; `above` for that pipeline, whose time begins at its input. */
  readonly hop?: 'above' | 'below'
}

/** What is known about the stream at a place of a graph, hence what may stand there. */
interface Place {
  /** True where a value has an event time: below `eventTime` with only synchronous operators between. */
  readonly hasTime: boolean
  /** True below a loose operator, whose values come when they are let go. */
  readonly isLoose: boolean
  /** True where loose values meet others: only what does not depend on their order may stand there. */
  readonly isMixed: boolean
  /** True where values come in batches. */
  readonly isBatched: boolean
  /** False below a batch, whose dead letters stand where the batch happened to end. */
  readonly mayReject: boolean
  /** False below an operator that has something to say whenever time moves: what would open something for it would never be done with. */
  readonly mayOpen: boolean
  /** False below a join, whose pairs would make pairs of pairs. */
  readonly mayJoin: boolean
}

const atRoot: Place = {
  hasTime: false,
  isLoose: false,
  isMixed: false,
  isBatched: false,
  mayReject: true,
  mayOpen: true,
  mayJoin: true,
}

/** Draws a lawful graph over all operators. */
export function drawPlan(random: Random, options: DrawOptions): GraphPlan {
  return new PlanDrawing(random, options).plan()
}

/** A hop has its time at its input alone. */
type DrawnKind = Exclude<Step['kind'], 'upstreamTime'>

const mostDepth = 2
const ends = ['table', 'table', 'table', 'topic', 'topic', 'outside'] as const
/** As deep as a branch that meets others again: nothing ends or branches there. */
const inDiamond = mostDepth + 1

class PlanDrawing {
  readonly #random: Random
  readonly #isForTask: boolean
  readonly #hop: DrawOptions['hop']
  readonly #canMigrate: boolean
  /** Steps that throw are set aside with the operator above, which must then be the same in both editions. */
  readonly #stepsMayThrow: boolean
  readonly #names = new Map<string, number>()
  #tables: readonly TablePlan[] = []
  #hasEventTime = false
  #hasRetired = false

  constructor(random: Random, { isForTask, hop }: DrawOptions) {
    this.#random = random
    this.#isForTask = isForTask
    this.#hop = hop
    this.#canMigrate = isForTask && hop === undefined && random.chance(0.35)
    this.#stepsMayThrow = isForTask && !this.#canMigrate && random.chance(0.5)
  }

  plan(): GraphPlan {
    const random = this.#random
    if (this.#hop === 'below') return this.#planBelow()
    if (this.#hop === undefined && random.fork('spans').chance(0.25)) return this.#planOfSpans()
    const others = this.#isForTask && random.chance(0.4) ? random.int(1, 2) : 0
    const tables = this.#isForTask && others < 2 && random.chance(0.3) ? random.int(1, 2 - others) : 0
    this.#tables = Array.from({ length: tables }, () => ({
      name: this.#name('table'),
      removesOn: random.int(0, residues - 1),
      throwsOn: this.#failure(atRoot),
      ttlMs: random.chance(0.3) ? random.pick([300, 5_000, 60_000]) : null,
    }))
    // Each input has a time of its own, or all have one below where they meet.
    const hasOwnTimes = this.#hop === 'above' || (others > 0 && random.chance(0.6))
    const inputSteps = Array.from({ length: others + 1 }, () => (hasOwnTimes ? this.#eventTime(atRoot).steps : []))
    const root = this.#stretch({ ...atRoot, hasTime: hasOwnTimes }, 0)
    const streams = inputSteps.slice(1).map(
      (steps, i): OtherInput => ({
        topic: `more${i + 1}`,
        idleAfterMs: random.chance(0.8) ? random.pick([50, 150, 400, 1_500]) : null,
        steps,
        table: null,
        isWhole: false,
      }),
    )
    const whole = random.fork('whole')
    const isOneTask = this.#isForTask && whole.chance(0.15)
    const changes = this.#tables.map(
      (table): OtherInput => ({
        topic: `changes-of-${table.name}`,
        idleAfterMs: null,
        steps: [],
        table,
        isWhole: whole.chance(0.4),
      }),
    )
    const drawn = {
      isOneTask,
      leadSteps: inputSteps[0] ?? [],
      others: random.chance(0.5) ? [...streams, ...changes] : [...changes, ...streams],
      root,
      archived: [],
      idleAfterMs: this.#isForTask && this.#hasEventTime && random.chance(0.4) ? random.pick([150, 300, 800]) : null,
      migratesAtStart: this.#canMigrate ? random.int(1, 3) : null,
      refusedFor: null,
    }
    // A table that nobody reads is not kept.
    const read = new Set(allSteps(drawn).flatMap((step) => (step.kind === 'enrich' ? [step.table] : [])))
    const kept = drawn.others.filter(({ table }) => table === null || read.has(table.name))
    const inputs = Array.from({ length: kept.length + 1 }, (_, input) => input)
    const isArchived = this.#isForTask && random.chance(0.25)
    return { ...drawn, others: kept, archived: isArchived ? inputs.filter(() => random.chance(0.7)) : [] }
  }

  /** Only of operators that take values many at once, where nothing happens: any other in its way would make all values come by themselves. */
  #planOfSpans(): GraphPlan {
    const random = this.#random
    const { steps, place } = this.#eventTime(atRoot)
    const once = (): readonly Step[] => {
      const ttlMs = random.pick([5_000, 60_000, unreachableMs])
      return [{ kind: 'dedupe', name: this.#name('dedupe'), ids: 'ranges', ttlMs, throwsOn: this.#failure(place) }]
    }
    const ways = Array.from({ length: random.pick([1, 2, 4]) }, (): Stretch => {
      const window = this.#window(place, 1)
      const taken = random.chance(0.5) ? once() : []
      return { steps: [...taken, ...window.steps], end: this.#outlet(window.place, window.end ?? null) }
    })
    const [only] = ways
    return {
      ...{ isOneTask: false, others: [], archived: [], migratesAtStart: this.#canMigrate ? random.int(1, 3) : null },
      ...{ idleAfterMs: this.#isForTask && random.chance(0.4) ? random.pick([150, 300, 800]) : null, refusedFor: null },
      leadSteps: [],
      root:
        ways.length === 1 && only !== undefined ? { ...only, steps: [...steps, ...only.steps] } : { steps, end: ways },
    }
  }

  /** Over one input, whose time is that of the markers. */
  #planBelow(): GraphPlan {
    this.#hasEventTime = true
    return {
      ...{ isOneTask: false, others: [], archived: [], idleAfterMs: null, migratesAtStart: null, refusedFor: null },
      leadSteps: [{ kind: 'upstreamTime', name: 'upstreamTime' }],
      root: this.#stretch({ ...atRoot, hasTime: true }, 0),
    }
  }

  #stretch(from: Place, depth: number): Stretch {
    const random = this.#random
    const steps: Step[] = []
    let place = from
    for (let left = random.int(depth === 0 ? 1 : 0, 4); left > 0; left--) {
      const drawn = this.#step(place, depth)
      steps.push(...drawn.steps)
      place = drawn.place
      if (drawn.end !== undefined) return { steps, end: this.#outlet(place, drawn.end) }
    }
    if (depth === mostDepth || random.chance(depth === 0 ? 0.25 : 0.7)) return { steps, end: this.#outlet(place, null) }
    return { steps, end: Array.from({ length: random.int(2, 3) }, () => this.#stretch(place, depth + 1)) }
  }

  /** `end` where nothing may stand below but an outlet, of that mode. */
  #step(place: Place, depth: number): { steps: readonly Step[]; place: Place; end?: OutletPlan['mode'] | null } {
    const random = this.#random
    const kind = random.pick(this.#kindsAt(place, depth))
    const stay = (...steps: readonly Step[]) => ({ steps, place })
    switch (kind) {
      case 'filter':
        return stay({ kind, without: random.int(0, residues - 1) })
      case 'onlySound':
        return stay({ kind })
      case 'map':
        return stay({ kind, plus: random.int(1, 50), throwsOn: this.#stepsMayThrow ? this.#failure(place) : null })
      case 'spread':
        return stay({
          kind,
          by: random.pick(['mergeMap', 'concatMap', 'concatAll']),
          copiesOn: random.int(0, residues - 1),
        })
      case 'flatten':
        return { steps: [{ kind }], place: { ...place, isBatched: false } }
      case 'diamond':
        return this.#diamond(place)
      case 'eventTime':
        return this.#eventTime(place)
      case 'dedupe': {
        const ttlMs = random.pick([500, 5_000, 60_000, unreachableMs])
        const step: Step = {
          kind,
          name: this.#name(kind),
          ids: random.pick(['set', 'ranges']),
          ttlMs,
          throwsOn: this.#failure(place),
        }
        return stay(...this.#soundFor(place), step)
      }
      case 'window':
        return this.#window(place, depth)
      case 'hops': {
        const [sizeMs, hopMs] = random.pick([
          [1_000, 500],
          [5_000, 2_000],
          [60_000, 20_000],
        ] as const)
        return stay({
          kind,
          name: this.#name(kind),
          sizeMs,
          hopMs,
          allowedLatenessMs: random.pick([0, 0, 1_000, 20_000]),
        })
      }
      case 'session': {
        const gapMs = random.pick([200, 1_000, 10_000])
        const maxMs = random.chance(0.3) ? gapMs * random.int(1, 4) : null
        const late = maxMs === null ? { allowedLatenessMs: random.pick([0, 500, 20_000]) } : {}
        return stay({ kind, name: this.#name(kind), gapMs, maxMs, ...late, throwsOn: this.#failure(place) })
      }
      case 'lots':
        return stay({ kind, name: this.#name(kind), size: random.int(1, 4), maxWaitMs: random.pick([500, 5_000]) })
      case 'join': {
        const fromMs = random.pick([-5_000, -300, 0, 200])
        const toMs = fromMs + random.pick([0, 500, 6_000])
        const how = random.pick(['inner', 'left', 'outer'] as const)
        const step: Step = { kind, name: this.#name(kind), fromMs, toMs, how, throwsOn: this.#failure(place) }
        return { steps: [step], place: { ...place, mayJoin: false } }
      }
      case 'asOf':
        return stay({
          kind,
          name: this.#name(kind),
          keepMs: random.pick([0, 300, 5_000]),
          throwsOn: this.#failure(place),
        })
      case 'inOrder':
        return stay({ kind, name: this.#name(kind) })
      case 'batch': {
        const step: Step = { kind, name: this.#name(kind), maxCount: random.int(1, 6) }
        return { steps: [step], place: { ...place, hasTime: false, isLoose: true, isBatched: true, mayReject: false } }
      }
      case 'mapAsync': {
        const concurrency = random.int(1, 4)
        const mostMs = random.pick([0, 5, 50, 400])
        const base = { name: this.#name(kind), concurrency, mostMs, retries: this.#isForTask && random.chance(0.3) }
        return {
          steps: [{ kind, ...base, throwsOn: this.#failure(place) }],
          place: { ...place, hasTime: false, isLoose: true },
        }
      }
      case 'lookup': {
        const cache = {
          maxEntries: random.int(1, 4),
          ...(random.chance(0.6) ? { ttlMs: random.pick([200, 2_000, 60_000]) } : {}),
          ...(random.chance(0.6) ? { missTtlMs: random.pick([100, 5_000]) } : {}),
        }
        const step: Step = {
          kind,
          name: this.#name(kind),
          concurrency: random.int(1, 6),
          mostMs: random.pick([0, 5, 50, 400]),
          cache: random.chance(0.8) ? cache : null,
          perSecond: random.chance(0.3) ? random.pick([5, 50, 2_000]) : null,
          throwsOn: this.#failure(place),
        }
        return { steps: [step], place: { ...place, hasTime: false, isLoose: true } }
      }
      case 'counter':
        return stay({ kind, name: this.#name(kind), throwsOn: this.#failure(place) })
      case 'silence':
        return stay({ kind, name: this.#name(kind), afterMs: random.pick([300, 1_000, 5_000]) })
      case 'moves':
        return {
          steps: [{ kind, name: this.#name(kind), everyMs: random.pick([1, 500, 5_000]) }],
          place: { ...place, mayOpen: false },
        }
      case 'running':
        return stay({ kind, name: this.#name(kind) })
      case 'enrich': {
        const { name: table, ttlMs } = random.pick(this.#tables)
        const isAging = ttlMs !== null
        const needsRow = random.chance(0.3)
        return stay({ kind, name: this.#name(kind), table, isAging, needsRow, throwsOn: this.#failure(place) })
      }
      case 'retired':
        this.#hasRetired = true
        return stay({ kind, name: this.#name(kind) })
    }
  }

  #kindsAt(place: Place, depth: number): readonly DrawnKind[] {
    if (place.isBatched) return ['flatten', 'flatten', 'filter', 'map', 'mapAsync']
    const kinds: DrawnKind[] = ['filter', 'map', 'spread', 'mapAsync', 'batch']
    if (place.isMixed) return kinds
    kinds.push('counter', 'running')
    if (this.#isForTask && place.mayReject) kinds.push('lookup', 'lookup')
    if (this.#tables.length > 0 && !place.isLoose) kinds.push('enrich', 'enrich', 'enrich')
    if (depth < mostDepth) kinds.push('diamond')
    if (this.#canMigrate && !this.#hasRetired) kinds.push('retired', 'retired')
    if (!this.#hasEventTime && (!place.isLoose || this.#tables.every(({ ttlMs }) => ttlMs === null)))
      kinds.push(...Array.from({ length: 8 }, () => 'eventTime' as const))
    if (place.hasTime) kinds.push('dedupe', 'dedupe', 'moves')
    if (place.hasTime && place.mayOpen) kinds.push('window', 'window', 'window', 'silence', 'silence')
    if (place.hasTime && place.mayOpen && place.mayReject)
      kinds.push('hops', 'session', 'lots', 'asOf', 'inOrder', ...(place.mayJoin ? (['join'] as const) : []))
    return kinds
  }

  #eventTime(place: Place): { steps: readonly Step[]; place: Place } {
    const random = this.#random
    this.#hasEventTime = true
    const isGuarded = place.mayReject && random.chance(0.5)
    const guard: Guard | null = isGuarded
      ? { maxAdvanceMs: random.pick([1_000, 10_000, 60_000]), confirmations: random.int(1, 3) }
      : null
    const maxOutOfOrdernessMs = random.pick([0, 100, 2_000])
    const step: Step = { kind: 'eventTime', name: this.#name('eventTime'), maxOutOfOrdernessMs, guard }
    return { steps: [...this.#soundFor(place), step], place: { ...place, hasTime: true } }
  }

  #window(place: Place, depth: number): { steps: readonly Step[]; place: Place; end?: OutletPlan['mode'] | null } {
    const random = this.#random
    const sizeMs = random.pick([1_000, 5_000, 60_000])
    const isProvisional = this.#isForTask && depth > 0 && depth < inDiamond && place.mayReject && random.chance(0.3)
    const callbacks = [
      'by',
      'add',
      'result',
      ...(this.#stepsMayThrow ? (['step', 'step-on-fired'] as const) : []),
    ] as const
    const isEarly = !isProvisional && depth > 0 && depth < inDiamond && place.mayReject && random.chance(0.3)
    const throwsIn = !isProvisional && !isEarly && place.mayReject && random.chance(0.3) ? random.pick(callbacks) : null
    const step: Step = {
      kind: 'window',
      name: this.#name('window'),
      sizeMs,
      allowedLatenessMs: place.mayReject ? random.pick([0, 0, sizeMs, 20_000, unreachableMs]) : unreachableMs,
      provisionalEveryMs: isProvisional ? random.pick([0, 100, 500]) : null,
      ...(isEarly
        ? { early: random.pick([{ everyValues: random.int(1, 3) }, { everyMs: random.pick([100, 700]) }]) }
        : {}),
      throwsIn,
      throwsOn: random.int(0, residues - 1),
    }
    const drawn = { steps: [...this.#soundFor(place), step], place }
    if (isProvisional) return { ...drawn, end: 'upsert' }
    return isEarly ? { ...drawn, end: null } : drawn
  }

  #diamond(place: Place): { steps: readonly Step[]; place: Place } {
    const random = this.#random
    const drawn = Array.from({ length: random.int(2, 3) }, () => {
      const steps: Step[] = []
      let end = place
      for (let left = random.int(0, 2); left > 0; left--) {
        const next = this.#step(end, inDiamond)
        steps.push(...next.steps)
        end = next.place
      }
      if (end.isBatched) {
        steps.push({ kind: 'flatten' })
        end = { ...end, isBatched: false }
      }
      return { steps, end }
    })
    const ends = drawn.map(({ end }) => end)
    const isMixed =
      ends.some((end) => end.isMixed || end.isLoose !== place.isLoose || end.hasTime !== place.hasTime) ||
      this.#hasLoose(drawn)
    const below: Place = {
      hasTime: !isMixed && ends.every((end) => end.hasTime),
      isLoose: isMixed || place.isLoose,
      isMixed,
      isBatched: false,
      mayReject: !isMixed && ends.every((end) => end.mayReject),
      mayOpen: ends.every((end) => end.mayOpen),
      mayJoin: ends.every((end) => end.mayJoin),
    }
    return { steps: [{ kind: 'diamond', branches: drawn.map(({ steps }) => steps) }], place: below }
  }

  #hasLoose(drawn: readonly { readonly steps: readonly Step[] }[]): boolean {
    return drawn.some(({ steps }) => steps.some(({ kind }) => ['mapAsync', 'lookup', 'batch'].includes(kind)))
  }

  #outlet({ isMixed, mayReject }: Place, mode: OutletPlan['mode'] | null): OutletPlan {
    const random = this.#random
    // Provisional results come as often as a run happens to be cut.
    const into = this.#isForTask && mode === null ? random.pick(ends) : 'table'
    const hasBadColumn = this.#isForTask && mode === null && mayReject && random.chance(0.2)
    const drawnMode = isMixed || into !== 'table' ? 'append' : (mode ?? random.pick(['append', 'upsert']))
    const takesBack = this.#isForTask && mode === null && random.chance(0.3)
    return {
      name: this.#name('out'),
      into,
      mode: drawnMode,
      isTuple: into === 'table' && random.chance(0.3),
      badColumn: hasBadColumn ? { how: random.pick(['throws', 'wrong-type']), on: random.int(0, residues - 1) } : null,
      ...(takesBack ? { takesBackOn: random.int(0, residues - 1) } : {}),
      isUnordered: isMixed,
    }
  }

  /** Below a batch nothing may be set aside, so what would be is filtered out. */
  #soundFor({ mayReject }: Place): readonly Step[] {
    return mayReject ? [] : [{ kind: 'onlySound' }]
  }

  #failure({ mayReject }: Place): number | null {
    return mayReject && this.#random.chance(0.25) ? this.#random.int(0, residues - 1) : null
  }

  #name(kind: string): string {
    const count = (this.#names.get(kind) ?? 0) + 1
    this.#names.set(kind, count)
    return `${kind}${count}`
  }
}
