import { describe, expect, test } from 'vitest'
import { BodyBuffers } from '../../../src/sinks/archive/bodyBuffers.ts'

const nothing = Buffer.alloc(0)

/** A body of so many bytes, made of parts. */
function grown(bodies: BodyBuffers, bytes: number, letter: string): Buffer {
  let body: Buffer = nothing
  let length = 0
  for (const part = Buffer.alloc(10_000, letter); length < bytes; length += part.length)
    body = bodies.append(body, length, part)
  return body.subarray(0, length)
}

describe('bodies of packed objects', () => {
  test('hold what was put into them, however often they had to move', () => {
    const body = grown(new BodyBuffers(), 1_000_000, 'x')
    expect(body.equals(Buffer.alloc(1_000_000, 'x'))).toBe(true)
  })

  test('are used again once they are given back, and not before', () => {
    const bodies = new BodyBuffers()
    const first = grown(bodies, 1_000_000, 'x')
    const second = grown(bodies, 1_000_000, 'y')
    expect(first.equals(Buffer.alloc(1_000_000, 'x'))).toBe(true)
    expect(second.buffer).not.toBe(first.buffer)
    bodies.giveBack(first)
    const third = grown(bodies, 20_000, 'z')
    expect(third.buffer).toBe(first.buffer)
    expect(second.equals(Buffer.alloc(1_000_000, 'y'))).toBe(true)
  })

  test('grow to the size of the one before in one step', () => {
    const bodies = new BodyBuffers()
    bodies.giveBack(grown(bodies, 1_000_000, 'x'))
    const [again, another] = [grown(bodies, 20_000, 'y'), grown(bodies, 600_000, 'z')]
    expect(again.buffer.byteLength).toBeGreaterThan(1_000_000)
    expect(another.buffer.byteLength).toBe(1_250_000)
  })

  test('are let go where they are many or very large', () => {
    const bodies = new BodyBuffers()
    const many = Array.from({ length: 6 }, () => grown(new BodyBuffers(), 100_000, 'x'))
    const large = grown(new BodyBuffers(), 9_000_000, 'x')
    for (const body of [...many, large]) bodies.giveBack(body)
    const again = Array.from({ length: 6 }, () => grown(bodies, 10_000, 'y').buffer)
    const known = new Set(many.map(({ buffer }) => buffer))
    expect(again.filter((buffer) => known.has(buffer))).toHaveLength(2)
    expect(again).not.toContain(large.buffer)
  })
})
