import { EMPTY, map, NEVER, of, Subject, throwError } from 'rxjs'
import { describe, expect, it } from 'vitest'
import { eventTime } from '../../src/operators/eventTime.ts'
import { tumblingWindow } from '../../src/operators/tumblingWindow.ts'
import { ConfigurationError } from '../../src/runtime/errors.ts'
import type { Rejected } from '../../src/runtime/letters/deadLetters.ts'
import { ChainTask, savedFrom } from '../support/tasks.ts'

const guarded = { of: (at: number) => at, maxOutOfOrdernessMs: 10, maxAdvanceMs: 1_000 }

function passed(times: readonly number[], options = guarded) {
  const out: number[] = []
  const rejected: Rejected[] = []
  of(...times)
    .pipe(eventTime({ ...options, onReject: (one) => rejected.push(one) }))
    .subscribe((value) => out.push(value))
  return { out, rejected: rejected.map((one) => one.reason) }
}

describe('eventTime', () => {
  it('passes nothing of an empty source, and completes', () => {
    let isComplete = false
    EMPTY.pipe(eventTime(guarded)).subscribe({ complete: () => (isComplete = true) })
    expect(isComplete).toBe(true)
  })

  it('passes an error of the source on', () => {
    let seen: unknown
    throwError(() => new Error('upstream'))
      .pipe(eventTime(guarded))
      .subscribe({ error: (error) => (seen = error) })
    expect(seen).toEqual(new Error('upstream'))
  })

  it('unsubscribes from a source that never ends', () => {
    const source = new Subject<number>()
    const subscription = source.pipe(eventTime(guarded)).subscribe()
    expect(source.observed).toBe(true)
    subscription.unsubscribe()
    expect(source.observed).toBe(false)
    NEVER.pipe(eventTime(guarded)).subscribe().unsubscribe()
  })

  it('passes what its callback throws on as the error of the stream', () => {
    let seen: unknown
    of(1)
      .pipe(
        eventTime({
          ...guarded,
          of: () => {
            throw new Error('callback')
          },
        }),
      )
      .subscribe({ error: (error) => (seen = error) })
    expect(seen).toEqual(new Error('callback'))
  })

  it('refuses bounds that are no whole numbers', () => {
    expect(() => eventTime({ of: () => 0, maxOutOfOrdernessMs: -1 })).toThrow(ConfigurationError)
    expect(() => eventTime({ of: () => 0, maxOutOfOrdernessMs: 0.5 })).toThrow('got 0.5')
    expect(() => eventTime({ ...guarded, maxAdvanceMs: 0 })).toThrow('maxAdvanceMs')
    expect(() => eventTime({ ...guarded, confirmations: 0 })).toThrow('confirmations')
  })

  it('sets a value without a whole-number time aside', () => {
    expect(passed([1, Number.NaN, 2.5, 2, 3])).toEqual({ out: [1, 2, 3], rejected: ['no-event-time', 'no-event-time'] })
  })

  it('sets one absurd leap aside and goes on with the rest, in order', () => {
    expect(passed([1, 2, 3, 1e9, 4, 5, 6, 7])).toEqual({ out: [1, 2, 3, 4, 5, 6, 7], rejected: ['time-leap'] })
  })

  it('sets a first time that is absurd aside', () => {
    expect(passed([1e9, 1, 2, 3, 4])).toEqual({ out: [1, 2, 3, 4], rejected: ['time-leap'] })
  })

  it('sets a run of absurd times aside when they are fewer than the confirmations', () => {
    expect(passed([1, 2, 3, 1e9, 1e9 + 1, 4, 5, 6]).rejected).toEqual(['time-leap', 'time-leap'])
  })

  it('passes the end of a halt of hours once enough values have come as far', () => {
    const halt = 4 * 3_600_000
    expect(passed([1, 2, 3, halt, halt + 1, halt + 2, halt + 3]).out).toEqual([
      1,
      2,
      3,
      halt,
      halt + 1,
      halt + 2,
      halt + 3,
    ])
  })

  it('passes a sparse stream in which every step is a leap', () => {
    const sparse = [0, 60_000, 120_000, 180_000, 240_000]
    expect(passed(sparse)).toEqual({ out: sparse, rejected: [] })
  })

  it('believes an undecided leap of up to an hour at the end of the input, and none beyond', () => {
    expect(passed([1, 2, 3, 600_000]).out).toEqual([1, 2, 3, 600_000])
    expect(passed([1, 2, 3, 86_400_000]).rejected).toEqual(['time-leap'])
  })

  it('passes a single value at the end of the input', () => {
    expect(passed([7])).toEqual({ out: [7], rejected: [] })
  })

  it('closes no window for an absurd leap, and every window at the end', () => {
    const closed: number[] = []
    of(0, 1, 2, 1e9, 3, 4, 5)
      .pipe(
        eventTime({ ...guarded, onReject: () => undefined }),
        tumblingWindow({ name: 'w', sizeMs: 100, by: () => 'k', onReject: (late) => expect(late).toBeUndefined() }),
        map((element) => (element.kind === 'fired' ? element.window.end : undefined)),
      )
      .subscribe((end) => end !== undefined && closed.push(end))
    expect(closed).toEqual([100])
  })

  it('keeps what it holds over a restore, and names the record that it rejects', () => {
    const chain = (values: import('rxjs').Observable<number>) => values.pipe(eventTime(guarded))
    const first = new ChainTask<number>(chain).push(1, 2, 3, 1e9)
    const cut = first.cut()
    const second = new ChainTask<number>(chain, savedFrom(cut)).push(4, 5, 6)
    expect(second.out).toEqual([4, 5, 6])
    expect(second.cut().deadLetters).toMatchObject([
      { offset: 3, reason: 'time-leap', payload: Buffer.from('1000000000') },
    ])
  })
})
