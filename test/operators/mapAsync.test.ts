import { delay, from, lastValueFrom, map, type Observable, toArray } from 'rxjs'
import { describe, expect, it } from 'vitest'
import { eventTime } from '../../src/operators/eventTime.ts'
import { mapAsync } from '../../src/operators/mapAsync.ts'
import { tumblingWindow } from '../../src/operators/tumblingWindow.ts'
import { OperatorError, RetryableError } from '../../src/runtime/errors.ts'
import { ChainTask } from '../support/tasks.ts'

const later = async (value: number) => value * 10

describe('mapAsync', () => {
  it('keeps the order of the values, whichever promise is first, and the bound', async () => {
    let underWay = 0
    let most = 0
    const slowFirst = async (value: number) => {
      most = Math.max(most, ++underWay)
      for (let i = value; i < 9; i++) await null
      underWay--
      return value
    }
    const all = await lastValueFrom(from([1, 2, 3, 4, 5]).pipe(mapAsync(slowFirst, { concurrency: 2 }), toArray()))
    expect(all).toEqual([1, 2, 3, 4, 5])
    expect(most).toBe(2)
  })

  it('passes a rejection on as the error of the stream', async () => {
    const failing = from([1]).pipe(mapAsync(() => Promise.reject(new Error('no')), { concurrency: 1 }))
    await expect(lastValueFrom(failing)).rejects.toThrow('no')
  })

  it('is waited for before a cut, and lets its results through together', async () => {
    const run = new ChainTask<number>((values) => values.pipe(mapAsync(later, { concurrency: 3 }))).push(1, 2)
    expect(() => run.cut()).toThrow('before asynchronous work had settled')
    expect(run.task.isSaturated).toBe(false)
    run.push(3)
    expect(run.task.isSaturated).toBe(true)
    await run.task.settle()
    expect(run.out).toEqual([10, 20, 30])
    expect(run.cut().writes[0]?.rows).toEqual([10, 20, 30])
  })

  it('ends the task with what a promise was rejected with', async () => {
    const fail = async () => {
      throw new RetryableError('service is down')
    }
    const run = new ChainTask<number>((values) => values.pipe(mapAsync(fail, { concurrency: 1 }))).push(1)
    await expect(run.task.settle()).rejects.toThrow(RetryableError)
  })

  it('may not stand between eventTime and a window, and says so', async () => {
    const run = new ChainTask<number>((values) =>
      values.pipe(
        eventTime({ of: (at) => at, maxOutOfOrdernessMs: 0 }),
        mapAsync(later, { concurrency: 1 }),
        tumblingWindow({ name: 'w', sizeMs: 100, by: () => 'k' }),
      ),
    ).push(1)
    await expect(run.task.settle()).rejects.toThrow(/mapAsync must stand above eventTime/)
  })
})

describe('the rest of a task', () => {
  const chain = (values: Observable<number>) =>
    values.pipe(
      delay(0),
      eventTime({ of: (at: number) => at, maxOutOfOrdernessMs: 0 }),
      map((at) => at),
    )

  it('is guarded: an operator that emits on its own is an error that names the one below it', async () => {
    const run = new ChainTask<number>(chain).push(1)
    await new Promise((resolve) => setTimeout(resolve, 1))
    expect(() => run.push(2)).toThrow(OperatorError)
    expect(() => run.push(2)).toThrow(/eventTime: a value arrived while the task was at rest/)
  })
})
