import { describe, expect, it } from 'vitest'
import { graphMermaid } from '../../src/console/graphMermaid.ts'

describe('a graph as a flowchart of Mermaid', () => {
  it('has a shape for each kind of node, and says how many plain steps are on an edge', () => {
    const graph = {
      pipeline: 'test',
      nodes: [
        { id: 'input:records', kind: 'input', name: 'records' },
        { id: 'operator:end', kind: 'operator', name: 'end' },
        { id: 'outlet:x', kind: 'outlet', name: 'x', table: 'rows_of_x' },
        { id: 'outlet:y', kind: 'outlet', name: 'y', table: 'y' },
        { id: 'operator:rows', kind: 'operator', name: 'rows', isTable: true },
      ],
      edges: [
        { from: 'input:records', to: 'operator:end', plainSteps: 0 },
        { from: 'operator:end', to: 'outlet:x', plainSteps: 1 },
        { from: 'operator:end', to: 'outlet:y', plainSteps: 2 },
      ],
    } as const
    expect(graphMermaid(graph)).toEqual([
      'flowchart LR',
      '  n0(["records"])',
      '  n1["end"]',
      '  n2[("x<br>rows_of_x")]',
      '  n3[("y")]',
      '  n4[["rows"]]',
      '  n0 --> n1',
      '  n1 -->|"+1 plain step"| n2',
      '  n1 -->|"+2 plain steps"| n3',
    ])
  })

  it('takes a name by its characters and never as syntax', () => {
    const name = '- größe "1" <b>`x`</b>#35;&amp;\n]-->;😀'
    const [, line = ''] = graphMermaid({ pipeline: 'test', nodes: [{ id: 'o', kind: 'operator', name }], edges: [] })
    expect(line).toMatch(/^ {2}n0\["[\p{L}\p{N} _:/#;-]+"\]$/u)
    const shown = line.slice(6, -2).replace(/#(\d+);/g, (_all, code: string) => String.fromCodePoint(Number(code)))
    expect(shown).toBe(name)
  })
})
