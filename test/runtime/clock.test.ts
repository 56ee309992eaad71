import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { systemClock } from '../../src/runtime/clock.ts'

const day = 86_400_000

describe('a sleep', () => {
  beforeEach(() => void vi.useFakeTimers())
  afterEach(() => void vi.useRealTimers())

  it('lasts for as long as it was told, more than the 24 days of a timer too', async () => {
    let isOver = false
    const sleeping = systemClock.sleep(60 * day).then(() => {
      isOver = true
    })
    await vi.advanceTimersByTimeAsync(60 * day - 1)
    expect(isOver).toBe(false)
    await vi.advanceTimersByTimeAsync(1)
    expect(isOver).toBe(true)
    await sleeping
  })

  it('ends at the signal, whichever piece of it is being waited for', async () => {
    const over = new AbortController()
    const sleeping = systemClock.sleep(60 * day, over.signal)
    await vi.advanceTimersByTimeAsync(40 * day)
    over.abort()
    await sleeping
    expect(vi.getTimerCount()).toBe(0)
  })
})
