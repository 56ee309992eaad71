import {
  type ConnectableObservable,
  connect,
  connectable,
  filter,
  finalize,
  map,
  merge,
  NEVER,
  Observable,
  publish,
  Subject,
  share,
  tap,
} from 'rxjs'
import { afterEach, describe, expect, it } from 'vitest'
import { tradeCodec } from '../../../src/market/tradeCodec.ts'
import { realtime } from '../../../src/pipelines/realtime.ts'
import { ConfigurationError } from '../../../src/runtime/errors.ts'
import type { RecordView } from '../../../src/runtime/log/record.ts'
import { stateful } from '../../../src/runtime/operator/stateful.ts'
import type { Outlet } from '../../../src/runtime/pipeline/outlet.ts'
import { definePipeline } from '../../../src/runtime/pipeline/pipeline.ts'
import type { AppendTable } from '../../../src/runtime/store/table.ts'
import { graphOf } from '../../../src/runtime/task/graph.ts'
import { StreamTask } from '../../../src/runtime/task/streamTask.ts'
import { Random } from '../../../src/testing/random.ts'
import { drawPlan } from '../../../src/testing/simulation/graphs/drawPlan.ts'
import { graphPipeline, leadTopic } from '../../../src/testing/simulation/graphs/graphPipeline.ts'
import {
  decoderOf,
  describePlan,
  foldOf,
  type GraphPlan,
  isOutlet,
  isWindow,
  type Step,
  type Stretch,
} from '../../../src/testing/simulation/graphs/plan.ts'

const { subscribe } = Observable.prototype

afterEach(() => {
  expect(Observable.prototype.subscribe, 'subscribe is as it was').toBe(subscribe)
})

const table: AppendTable<unknown> = { mode: 'append', name: 'results', columns: [] }

type Stream = Observable<unknown>

/** Passes values on. */
const op = (name: string) =>
  stateful<unknown, unknown>({ name }, (_restored, out) => ({ onValue: (value) => out.emit(value) }))

const pipelineOf = (build: (records: Observable<RecordView>) => Readonly<Record<string, Stream>>) =>
  definePipeline({
    name: 'test',
    build: (records) =>
      Object.fromEntries(
        Object.entries(build(records)).map(([name, rows]): [string, Outlet<unknown>] => [
          name,
          { kind: 'rows', table, values: rows },
        ]),
      ),
  })

/** The edges as lines, `a → b` or with plain steps between `a → (2) → b`. */
function edgesOf(build: Parameters<typeof pipelineOf>[0]): string[] {
  return linesOf(graphOf(pipelineOf(build)))
}

function linesOf({ edges }: ReturnType<typeof graphOf>): string[] {
  return edges.map(({ from, to, plainSteps }) => `${from} → ${plainSteps === 0 ? '' : `(${plainSteps}) → `}${to}`)
}

describe('the graph of realtime', () => {
  const graph = graphOf(realtime(tradeCodec({ market: 'spot', timeUnit: 'ms' })))

  it('has its input, its thirteen operators in the order in which values pass them, seven outlets with their tables and the archive', () => {
    const outlet = (name: string) => ({
      id: `outlet:${name}`,
      kind: 'outlet',
      name,
      table: `fact_realtime_trades_${name}`,
    })
    const operator = (name: string) => ({ id: `operator:${name}`, kind: 'operator', name })
    const longer = (name: string) => [operator(name), operator(`rollup-${name}`), outlet(name)]
    expect(graph).toMatchObject({ pipeline: 'realtime' })
    expect(graph.nodes).toEqual([
      { id: 'input:records', kind: 'input', name: 'records' },
      ...['decode', 'eventTime', 'dedupe', '1m', 'ohlcv-1m'].map(operator),
      outlet('1m'),
      ...['5m', '15m', '1h', '4h', '1d'].flatMap(longer),
      { id: 'outlet:gaps', kind: 'outlet', name: 'gaps', table: 'feed_gap' },
      { id: 'outlet:raw', kind: 'outlet', name: 'raw', isArchive: true },
    ])
  })

  it('has every edge, and the filter as a plain step', () => {
    const longer = (from: string, name: string) => [
      `${from} → (1) → operator:${name}`,
      `operator:${name} → operator:rollup-${name}`,
      `operator:rollup-${name} → outlet:${name}`,
    ]
    expect(linesOf(graph)).toEqual([
      'input:records → operator:decode',
      'operator:decode → operator:eventTime',
      'operator:eventTime → (4) → operator:dedupe',
      ...['5m', '15m', '1h', '4h', '1d'].map((name) => `operator:eventTime → (3) → operator:${name}`),
      'operator:eventTime → (1) → outlet:gaps',
      'operator:dedupe → operator:1m',
      'operator:1m → operator:ohlcv-1m',
      'operator:ohlcv-1m → outlet:1m',
      ...longer('operator:ohlcv-1m', '5m'),
      ...longer('operator:rollup-5m', '15m'),
      ...longer('operator:rollup-15m', '1h'),
      ...longer('operator:rollup-1h', '4h'),
      ...longer('operator:rollup-4h', '1d'),
      'input:records → outlet:raw',
    ])
  })

  it('is plain data, and the same each time', () => {
    expect(JSON.parse(JSON.stringify(graph))).toEqual(graph)
    expect(graphOf(realtime(tradeCodec({ market: 'spot', timeUnit: 'ms' })))).toEqual(graph)
  })
})

describe('an edge', () => {
  it('goes to each of three branches of share, which is no step', () => {
    const edges = edgesOf((records) => {
      const shared = records.pipe(op('a'), share())
      return { x: shared.pipe(op('b')), y: shared.pipe(map(String), op('c')), z: shared }
    })
    expect(edges).toEqual([
      'input:records → operator:a',
      'operator:a → operator:b',
      'operator:a → (1) → operator:c',
      'operator:a → outlet:z',
      'operator:b → outlet:x',
      'operator:c → outlet:y',
    ])
  })

  it('comes from each branch of merge, which is one step', () => {
    const edges = edgesOf((records) => ({
      x: merge(records.pipe(op('a')), records.pipe(op('b'))).pipe(op('c')),
    }))
    expect(edges).toEqual([
      'input:records → operator:a',
      'input:records → operator:b',
      'operator:a → (1) → operator:c',
      'operator:b → (1) → operator:c',
      'operator:c → outlet:x',
    ])
  })

  it('goes around a diamond on both sides, one of them without an operator', () => {
    const edges = edgesOf((records) => {
      const shared = records.pipe(op('a'), share())
      return { x: merge(shared.pipe(op('b')), shared.pipe(filter(Boolean))) }
    })
    expect(edges).toEqual([
      'input:records → operator:a',
      'operator:a → operator:b',
      'operator:a → (2) → outlet:x',
      'operator:b → (1) → outlet:x',
    ])
  })

  it('passes a share below a share', () => {
    const edges = edgesOf((records) => {
      const outer = records.pipe(op('a'), share())
      const inner = outer.pipe(share())
      return { x: inner.pipe(op('b')), y: outer.pipe(op('c')), z: inner.pipe(op('d')) }
    })
    expect(edges).toEqual([
      'input:records → operator:a',
      'operator:a → operator:b',
      'operator:a → operator:c',
      'operator:a → operator:d',
      'operator:b → outlet:x',
      'operator:c → outlet:y',
      'operator:d → outlet:z',
    ])
  })

  it('goes into the Subject that connect feeds', () => {
    const edges = edgesOf((records) => ({
      x: records.pipe(
        op('a'),
        connect((shared) => merge(shared.pipe(op('b')), shared.pipe(op('c')))),
      ),
    }))
    expect(edges).toEqual([
      'input:records → operator:a',
      'operator:a → operator:b',
      'operator:a → operator:c',
      'operator:b → (1) → outlet:x',
      'operator:c → (1) → outlet:x',
    ])
  })

  it('goes into the Subject of what is connected by hand', () => {
    const edges = edgesOf((records) => {
      const modern = connectable(records.pipe(op('a')))
      const old = records.pipe(op('b'), publish()) as ConnectableObservable<unknown>
      modern.connect()
      old.connect()
      return { x: modern.pipe(op('c')), y: old.pipe(op('d')) }
    })
    expect(edges).toEqual([
      'input:records → operator:a',
      'input:records → operator:b',
      // connectable reads through a defer whose subscriber tells nobody whose it is, so it counts as a step.
      'operator:a → (1) → operator:c',
      'operator:b → operator:d',
      'operator:c → outlet:x',
      'operator:d → outlet:y',
    ])
  })

  it('comes from each stream to which an Observable of the user hands its subscriber', () => {
    const edges = edgesOf((records) => ({
      x: new Observable((subscriber) => {
        for (const name of ['a', 'b']) records.pipe(op(name)).subscribe(subscriber)
      }),
    }))
    expect(edges).toEqual([
      'input:records → operator:a',
      'input:records → operator:b',
      'operator:a → outlet:x',
      'operator:b → outlet:x',
    ])
  })

  it('goes to an operator that the build subscribes to by itself, past a step of the user', () => {
    const edges = edgesOf((records) => {
      const shared = records.pipe(op('a'), share())
      const step = new Observable((subscriber) => shared.subscribe((value) => subscriber.next(value)))
      step.pipe(op('b'), op('c')).subscribe()
      return { x: shared }
    })
    expect(edges).toEqual([
      'input:records → operator:a',
      'operator:a → (1) → operator:b',
      'operator:a → outlet:x',
      'operator:b → operator:c',
    ])
  })

  it('goes through a Subject of the user, also where that closes a loop', () => {
    const build = (records: Stream) => {
      const again = new Subject<unknown>()
      const out = merge(records, again.pipe(map(String))).pipe(op('a'), share())
      out.pipe(op('b')).subscribe(again)
      return { x: out }
    }
    expect(edgesOf(build)).toEqual(edgesOf(build))
    expect(edgesOf(build)).toEqual(
      expect.arrayContaining([
        'input:records → (1) → operator:a',
        'operator:a → operator:b',
        'operator:b → (2) → operator:a',
        'operator:a → outlet:x',
      ]),
    )
  })

  it('counts the plain steps on it, those of all ways together', () => {
    const edges = edgesOf((records) => {
      const shared = records.pipe(op('a'), map(String), share())
      return { x: merge(shared.pipe(map(Number)), shared.pipe(map(Boolean), filter(Boolean))) }
    })
    expect(edges).toEqual(['input:records → operator:a', 'operator:a → (5) → outlet:x'])
  })

  it('goes from one stream to two outlets', () => {
    const edges = edgesOf((records) => {
      const shared = records.pipe(op('a'), share())
      return { x: shared, y: shared }
    })
    expect(edges).toEqual(['input:records → operator:a', 'operator:a → outlet:x', 'operator:a → outlet:y'])
  })
})

describe('the graph', () => {
  it('leaves out what no outlet ends', () => {
    const { nodes } = graphOf(
      pipelineOf((records) => {
        const shared = records.pipe(op('a'), share())
        shared.pipe(op('unended'))
        return { x: shared }
      }),
    )
    expect(nodes.map(({ id }) => id)).toEqual(['input:records', 'operator:a', 'outlet:x'])
  })

  it('keeps an outlet and an operator of one name apart', () => {
    expect(edgesOf((records) => ({ a: records.pipe(op('a')) }))).toEqual([
      'input:records → operator:a',
      'operator:a → outlet:a',
    ])
  })

  it('is refused as at a start where two operators have one name, where one is built twice, and where there is no outlet', () => {
    for (const build of [
      (records: Stream) => ({ x: records.pipe(op('a'), op('a')) }),
      (records: Stream) => {
        const unshared = records.pipe(op('a'))
        return { x: unshared, y: unshared }
      },
      () => ({}),
    ]) {
      const pipeline = pipelineOf(build)
      const atStart = errorOf(() => new StreamTask(pipeline, null, 0))
      expect(atStart).toBeInstanceOf(ConfigurationError)
      expect(errorOf(() => graphOf(pipeline))).toEqual(atStart)
    }
  })

  it('gives the error of a build that throws, before and while it is subscribed to', () => {
    const error = new Error('no such sensor')
    const thrown = () => {
      throw error
    }
    expect(errorOf(() => graphOf(pipelineOf(thrown)))).toMatchObject({ code: 'MILLRACE_CONFIGURATION', cause: error })
    const failing = stateful<unknown, unknown>({ name: 'failing' }, thrown)
    const pipeline = pipelineOf((records) => ({ x: records.pipe(failing) }))
    expect(errorOf(() => graphOf(pipeline))).toEqual(errorOf(() => new StreamTask(pipeline, null, 0)))
  })

  it('lets go of what the build has started', () => {
    let open = 0
    const source = NEVER.pipe(
      tap({ subscribe: () => (open += 1) }),
      finalize(() => (open -= 1)),
    )
    graphOf(pipelineOf((records) => ({ x: merge(records, source).pipe(op('a'), share()) })))
    expect(open).toBe(0)
  })

  it('is for random graphs what was drawn', () => {
    const destination = () => {
      throw new Error('only its shape is looked at')
    }
    const surroundings = {
      edition: 1,
      pause: () => Promise.resolve(),
      isAway: () => false,
      answer: () => null,
      destination,
    } as const
    for (let seed = 1; seed <= 300; seed++) {
      const plan = drawPlan(new Random(seed), { isForTask: true })
      const { edges } = graphOf(graphPipeline(plan, surroundings))
      const found = edges.map(({ from, to }) => `${from} → ${to}`)
      expect(found.sort(), `seed ${seed}: ${describePlan(plan)}`).toEqual(plannedEdges(plan))
    }
  })
})

function errorOf(act: () => unknown): unknown {
  try {
    act()
  } catch (error) {
    return error
  }
  return undefined
}

/** The edges between names that a plan means, found by walking it. */
function plannedEdges(plan: GraphPlan): string[] {
  const { root, leadSteps, others } = plan
  const edges = new Set<string>()

  /** Takes the edges to `to` in; what stands below comes from there alone. */
  function into(to: string, from: ReadonlySet<string>): ReadonlySet<string> {
    for (const one of from) edges.add(`${one} → ${to}`)
    return new Set([to])
  }

  function through(steps: readonly Step[], above: ReadonlySet<string>): ReadonlySet<string> {
    return steps.reduce((from, step) => {
      if (step.kind === 'diamond') return new Set(step.branches.flatMap((branch) => [...through(branch, from)]))
      if (!('name' in step)) return from
      const below = into(`operator:${step.name}`, from)
      if (step.kind === 'enrich') into(`operator:${step.name}`, new Set([`operator:${step.table}`]))
      return isWindow(step) ? into(`operator:${foldOf(step.name)}`, below) : below
    }, above)
  }

  function walk({ steps, end }: Stretch, above: ReadonlySet<string>): void {
    const from = through(steps, above)
    if (isOutlet(end)) into(`outlet:${end.name}`, from)
    else for (const stretch of end) walk(stretch, from)
  }

  const inputs = [
    { name: others.length === 0 && !plan.isOneTask ? 'records' : leadTopic, steps: leadSteps },
    ...others.map(({ topic, steps }) => ({ name: topic, steps })),
  ]
  for (const input of plan.archived) into(`outlet:raw${input}`, new Set([`input:${inputs[input]?.name}`]))
  const meeting = inputs.flatMap(({ name, steps }, input) => {
    const decoded = into(`operator:${decoderOf(plan, input)}`, new Set([`input:${name}`]))
    const table = others[input - 1]?.table ?? null
    if (table === null) return [...through(steps, decoded)]
    into(`operator:${table.name}`, decoded)
    return []
  })
  walk(root, new Set(meeting))
  return [...edges].sort()
}
