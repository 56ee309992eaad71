import { of, throwError } from 'rxjs'
import { describe, expect, it } from 'vitest'
import { batchFlush } from '../../src/operators/batchFlush.ts'
import { ChainTask } from '../support/tasks.ts'

const batches = (options: Parameters<typeof batchFlush<number>>[0], ...values: number[]) => {
  const out: (readonly number[])[] = []
  of(...values)
    .pipe(batchFlush(options))
    .subscribe((batch) => out.push(batch))
  return out
}

describe('batchFlush', () => {
  it('flushes by count, and what is left at the end', () => {
    expect(batches({ maxCount: 2 }, 1, 2, 3)).toEqual([[1, 2], [3]])
    expect(batches({ maxCount: 2 })).toEqual([])
  })

  it('flushes by bytes, with the value that reaches the bound', () => {
    expect(batches({ maxCount: 100, maxBytes: 5, bytesOf: (value) => value }, 2, 3, 9, 1)).toEqual([[2, 3], [9], [1]])
  })

  it('flushes at a cut, so that no batch spans a checkpoint, and keeps no state', () => {
    const run = new ChainTask<number>((values) => values.pipe(batchFlush({ maxCount: 10 }))).push(1, 2)
    expect(run.out).toEqual([])
    const cut = run.cut()
    expect(run.out).toEqual([[1, 2]])
    expect(JSON.parse(cut.state.body).operators).toEqual([])
    expect(cut.writes[0]?.rows).toEqual([1, 2])
  })

  it('passes an error of the source on', () => {
    let seen: unknown
    throwError(() => new Error('upstream'))
      .pipe(batchFlush({ maxCount: 1 }))
      .subscribe({ error: (error) => (seen = error) })
    expect(seen).toEqual(new Error('upstream'))
  })

  it('refuses bounds that bound nothing', () => {
    expect(() => batchFlush({ maxCount: 0 })).toThrow('maxCount must be a positive integer, got 0')
    expect(() => batchFlush({ maxCount: 1, maxBytes: 5 })).toThrow('given together')
  })
})
