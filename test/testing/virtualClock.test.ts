import { describe, expect, it } from 'vitest'
import { VirtualClock } from '../../src/testing/virtualClock.ts'

describe('VirtualClock', () => {
  it('wakes in the order of time, and of two at the same time the first to sleep', async () => {
    const clock = new VirtualClock({ startMs: 0 })
    const woken: string[] = []
    const sleeper = async (name: string, ms: number) => {
      await clock.sleep(ms)
      woken.push(`${name} at ${clock.now()}`)
    }
    await clock.run(Promise.all([sleeper('c', 30), sleeper('a', 10), sleeper('d', 30), sleeper('b', 20)]))
    expect(woken).toEqual(['a at 10', 'b at 20', 'c at 30', 'd at 30'])
  })

  it('lets everything settle before time passes, also what yields by an immediate', async () => {
    const clock = new VirtualClock({ startMs: 0 })
    const work = async () => {
      for (let i = 0; i < 100; i++) await Promise.resolve()
      await new Promise((resolve) => setImmediate(resolve))
      return clock.now()
    }
    const late = clock.sleep(5)
    expect(await clock.run(work())).toBe(0)
    await clock.run(late)
  })

  it('passes an hour of backoff in no time', async () => {
    const clock = new VirtualClock({ startMs: 0 })
    const work = async () => {
      for (let i = 0; i < 3_600; i++) await clock.sleep(1_000)
      return clock.now()
    }
    expect(await clock.run(work())).toBe(3_600_000)
  })

  it('wakes at once when the signal fires, without time passing, and forgets the sleeper', async () => {
    const clock = new VirtualClock({ startMs: 0 })
    const controller = new AbortController()
    const asleep = clock.sleep(1_000, controller.signal)
    expect(clock.sleeping).toBe(1)
    controller.abort()
    await clock.run(asleep)
    expect(clock.now()).toBe(0)
    expect(clock.sleeping).toBe(0)
    await clock.run(clock.sleep(1_000, controller.signal))
    expect(clock.now()).toBe(0)
  })

  it('says so when the work waits for something that nobody will bring about', async () => {
    const clock = new VirtualClock()
    await expect(clock.run(new Promise(() => {}))).rejects.toThrow(/waits for something that nobody.*Nothing sleeps/)
  })

  it('names who sleeps, and where, when the work does not end', async () => {
    const clock = new VirtualClock({ startMs: 0, limitMs: 10_000, trace: true })
    let isStopped = false
    async function pollsForEver() {
      while (!isStopped) await clock.sleep(100)
    }
    const work = pollsForEver()
    await expect(clock.run(work)).rejects.toThrow(/not ended after 10000 ms[\s\S]*1 asleep:[\s\S]*pollsForEver/)
    isStopped = true
    await clock.advance(100)
    await work
  })

  it('stands still while something truly waits for the machine', async () => {
    const clock = new VirtualClock({ startMs: 0 })
    const machine = clock.hold(new Promise((resolve) => setTimeout(resolve, 5)))
    const asleep = clock.sleep(1_000)
    await clock.run(machine)
    expect(clock.now()).toBe(0)
    await clock.run(asleep)
    expect(clock.now()).toBe(1_000)
  })

  it('advances exactly, waking each on the way at its own time', async () => {
    const clock = new VirtualClock({ startMs: 0 })
    const woken: number[] = []
    for (const ms of [10, 20, 31]) void clock.sleep(ms).then(() => woken.push(clock.now()))
    await clock.advance(30)
    expect(woken).toEqual([10, 20])
    expect(clock.now()).toBe(30)
    await clock.advance(1)
    expect(woken).toEqual([10, 20, 31])
  })

  it('hands on the failure of the work', async () => {
    const clock = new VirtualClock()
    const work = clock.sleep(5).then(() => {
      throw new Error('the commit failed')
    })
    await expect(clock.run(work)).rejects.toThrow('the commit failed')
  })
})
