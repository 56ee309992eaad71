import { describe, expect, it } from 'vitest'
import { Random } from '../../src/testing/random.ts'

const draw = (random: Random, count: number) => Array.from({ length: count }, () => random.next())

describe('Random', () => {
  it('gives the same numbers for the same seed and others for another', () => {
    expect(draw(new Random(1), 50)).toEqual(draw(new Random('1'), 50))
    expect(draw(new Random(1), 50)).not.toEqual(draw(new Random(2), 50))
  })

  it('keeps its sequence for good, because seeds are written into bug reports', () => {
    expect(draw(new Random(1), 4)).toMatchInlineSnapshot(`
      [
        3619116757,
        3521214030,
        874361423,
        77984054,
      ]
    `)
  })

  it('forks by name alone, however much was drawn before', () => {
    const used = new Random(7)
    draw(used, 100)
    expect(draw(used.fork('faults'), 10)).toEqual(draw(new Random(7).fork('faults'), 10))
    expect(draw(used.fork('faults'), 10)).not.toEqual(draw(used.fork('input'), 10))
  })

  it('keeps integers within both ends and reaches both', () => {
    const random = new Random(3)
    const seen = new Set(Array.from({ length: 500 }, () => random.int(-2, 2)))
    expect([...seen].sort((a, b) => a - b)).toEqual([-2, -1, 0, 1, 2])
  })

  it('shuffles without losing, adding or changing the argument', () => {
    const values = [1, 2, 3, 4, 5, 6, 7, 8]
    const shuffled = new Random(5).shuffle(values)
    expect(shuffled).not.toEqual(values)
    expect([...shuffled].sort((a, b) => a - b)).toEqual(values)
  })

  it('is even enough that a fault with a rate of a tenth strikes about each tenth time', () => {
    const random = new Random(11)
    const hits = Array.from({ length: 20_000 }, () => random.chance(0.1)).filter(Boolean).length
    expect(hits).toBeGreaterThan(1_850)
    expect(hits).toBeLessThan(2_150)
  })

  it('refuses to pick from nothing', () => {
    expect(() => new Random(1).pick([])).toThrow(RangeError)
  })
})
