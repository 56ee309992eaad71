import { describe, expect, it } from 'vitest'
import { graphText } from '../../src/console/graphText.ts'
import { tradeCodec } from '../../src/market/tradeCodec.ts'
import { realtime } from '../../src/pipelines/realtime.ts'
import { graphOf, type PipelineGraph } from '../../src/runtime/task/graph.ts'

/** A graph of operators, and outlets where a name begins with `>`, from edges such as `a b` or `a 2 b`. */
function graphWith(...lines: readonly string[]): PipelineGraph {
  const edges = lines.map((line) => {
    const words = line.split(' ')
    const plainSteps = words.length === 3 ? Number(words[1]) : 0
    return { from: words.at(0) ?? '', to: words.at(-1) ?? '', plainSteps }
  })
  const ids = [...new Set(edges.flatMap(({ from, to }) => [from, to]))]
  const nodes = ids.map((id) =>
    id.startsWith('>')
      ? { id, kind: 'outlet' as const, name: id.slice(1), table: id.slice(1) }
      : { id, kind: 'operator' as const, name: id },
  )
  return { pipeline: 'test', nodes, edges }
}

const drawn = (graph: PipelineGraph) => graphText(graph).slice(2, -2)

describe('a graph as text', () => {
  it('shows realtime in 100 columns', () => {
    const lines = graphText(graphOf(realtime(tradeCodec({ market: 'spot', timeUnit: 'ms' }))))
    expect(`\n${lines.join('\n')}`).toBe(`
pipeline realtime

records
├→ decode → eventTime
│  ├→ (+4) → dedupe → 1m → ohlcv-1m
│  │  ├→ ▣ 1m (fact_realtime_trades_1m)
│  │  └→ (+1) → 5m → rollup-5m
│  │     ├→ ▣ 5m (fact_realtime_trades_5m)
│  │     └→ (+1) → 15m → rollup-15m
│  │        ├→ ▣ 15m (fact_realtime_trades_15m)
│  │        └→ (+1) → 1h → rollup-1h
│  │           ├→ ▣ 1h (fact_realtime_trades_1h)
│  │           └→ (+1) → 4h → rollup-4h ┬→ ▣ 4h (fact_realtime_trades_4h)
│  │                                    └→ (+1) → 1d → rollup-1d → ▣ 1d (fact_realtime_trades_1d)
│  ├→ (+3) → 5m ↑
│  ├→ (+3) → 15m ↑
│  ├→ (+3) → 1h ↑
│  ├→ (+3) → 4h ↑
│  ├→ (+3) → 1d ↑
│  └→ (+1) → ▣ gaps (feed_gap)
└→ ▣ raw (archive)

(+n): n plain steps of RxJS   ▣: an outlet, and where it goes (its table, where that has another name)   ↑: drawn above`)
  })

  it('puts branches beside what they come from where there is room', () => {
    expect(drawn(graphWith('a b', 'b c', 'b 2 d', 'b >x', 'c >y', 'c >z'))).toEqual([
      'a → b ┬→ c ┬→ ▣ y',
      '      │    └→ ▣ z',
      '      ├→ (+2) → d',
      '      └→ ▣ x',
    ])
  })

  it('draws what several read once, and refers to it', () => {
    const diamond = graphWith('a b', 'a c', 'b d', 'c 1 d', 'd >x')
    expect(drawn(diamond)).toEqual(['a ┬→ b → d → ▣ x', '  └→ c → (+1) → d ↑'])
    expect(graphText(diamond).at(-1)).toContain('↑: drawn above')
  })

  it('begins at each input', () => {
    expect(drawn(graphWith('a c', 'b c', 'c >x'))).toEqual(['a → c → ▣ x', 'b → c ↑'])
  })

  it('breaks a chain that is longer than 100 columns', () => {
    const names = Array.from({ length: 12 }, (_, i) => `operator-number-${i}`)
    const lines = drawn(graphWith(...names.slice(1).map((name, i) => `${names[i]} ${name}`)))
    expect(lines).toEqual([
      names.slice(0, 5).join(' → '),
      `└→ ${names.slice(5, 10).join(' → ')}`,
      `   └→ ${names.slice(10).join(' → ')}`,
    ])
  })

  it('is not broken by a name with a line break', () => {
    const graph = { ...graphWith('a b'), nodes: [{ id: 'a', kind: 'operator' as const, name: 'a\n\u202eb' }] }
    expect(drawn(graph)).toEqual(['a\\u{a}\\u{202e}b'])
  })

  it('ends with a loop', () => {
    expect(drawn(graphWith('a b', 'b a', 'b >x'))).toEqual(['a → b ┬→ a ↑', '      └→ ▣ x'])
  })
})
