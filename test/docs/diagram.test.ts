import { describe, expect, it } from 'vitest'
import { diagramHtml } from '../../scripts/docs/diagram.ts'
import { fences } from './pagePrograms.ts'

const texts = (svg: string, kind = '') =>
  [...svg.matchAll(new RegExp(`<text${kind} x="(\\d+)" y="(\\d+)">([^<]*)<`, 'g'))].map(([, x, y, text = '']) => ({
    x: Number(x),
    y: Number(y),
    text: text,
  }))

describe('a diagram', () => {
  const svg = diagramHtml('in    a1  a2 & b  a1      # ttlMs: 9\nout   a1  a2 & b\n')

  it('has what comes at one moment below each other', () => {
    const [a, b, again, outA, outB] = texts(svg)
    expect([a, b, again].map((one) => one?.text)).toEqual(['a1', 'a2 &amp; b', 'a1'])
    expect([outA?.x, outB?.x]).toEqual([a?.x, b?.x])
    expect(outA?.y).toBeGreaterThan(a?.y ?? 0)
    expect([...svg.matchAll(/<rect class="out"/g)]).toHaveLength(2)
  })

  it('has names of rows and what is said of one', () => {
    expect(texts(svg, ' class="label"').map(({ text }) => text)).toEqual(['in', 'out'])
    expect(svg).toContain('<figcaption>ttlMs: 9</figcaption>')
  })

  it('leaves lines that are typed as they are', () => {
    const typed = diagramHtml('in    a ──   b\nout   A')
    expect(texts(typed, ' class="typed"').map(({ text }) => text)).toEqual(['a\u00a0──\u00a0\u00a0\u00a0b'])
    expect([...typed.matchAll(/<rect/g)]).toHaveLength(1)
    expect(texts(typed)[0]?.x).toBe(texts(typed, ' class="typed"')[0]?.x)
  })
})

it('every operator has one, whose rows are no wider than they are drawn', () => {
  const drawings = fences('docs/operators/index.md', 'diagram')
  expect(drawings.length).toBeGreaterThan(20)
  for (const svg of drawings.map(diagramHtml)) {
    const width = Number(/width="(\d+)"/.exec(svg)?.[1])
    for (const { x, text } of [...texts(svg), ...texts(svg, ' class="typed"')])
      expect(x + text.replaceAll(/&\w+;/g, '.').length * 8.4, text).toBeLessThanOrEqual(width)
  }
})
