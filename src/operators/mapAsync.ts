import { Observable, type OperatorFunction } from 'rxjs'
import { currentTask } from '../runtime/currentTask.ts'
import { ConfigurationError, OperatorError } from '../runtime/errors.ts'

export interface MapAsyncOptions {
  /** Unique in a pipeline; `mapAsync` if left out. */
  readonly name?: string
  /** How many calls may be under way at once. */
  readonly concurrency: number
}

/**
 * Passes what the promise of each value resolves to, in the order of the values.
 *
 * In a task the results of up to `concurrency` calls are let through together, when so many are under way or at the next cut, and the task
 * waits for them first: nothing is in flight when a checkpoint is cut, so each value is mapped at least once and its result counts exactly once. Since time
 * goes on meanwhile, it must stand above `eventTime` or below the last window. A rejected promise ends the task with its error: a `RetryableError` makes the worker
 * restore and try again. Keeps at most `concurrency` values in a task. Outside of one nothing holds the source back, so what waits for its turn is kept too.
 * @throws ConfigurationError on options out of range
 */
export function mapAsync<T, R>(map: (value: T) => Promise<R>, options: MapAsyncOptions): OperatorFunction<T, R> {
  const { name = 'mapAsync', concurrency } = options
  if (!Number.isSafeInteger(concurrency) || concurrency < 1) {
    throw new ConfigurationError(`${name}: concurrency must be a positive integer, got ${concurrency}`)
  }
  return (source) =>
    currentTask() === null ? mapFree(source, map, concurrency) : mapInTask(source, map, name, concurrency)
}

function mapInTask<T, R>(
  source: Observable<T>,
  map: (value: T) => Promise<R>,
  name: string,
  concurrency: number,
): Observable<R> {
  return new Observable<R>((subscriber) => {
    const task = currentTask()
    if (task === null) throw new OperatorError(`${name}: made in a pipeline but subscribed outside of it`)
    let underWay: Promise<R>[] = []
    let settled: R[] = []
    task.track({
      get isSaturated() {
        return underWay.length >= concurrency
      },
      get isIdle() {
        return underWay.length === 0
      },
      async settle() {
        settled = await Promise.all(underWay)
        underWay = []
      },
      release() {
        const results = settled
        settled = []
        for (const result of results) subscriber.next(result)
      },
    })
    return source.subscribe({
      next: (value) => {
        const result = map(value)
        // The rejection is thrown by settle(); until somebody waits there it must not count as unhandled.
        result.catch(() => undefined)
        underWay.push(result)
      },
      error: (error) => subscriber.error(error),
      complete: () => subscriber.complete(),
    })
  })
}

function mapFree<T, R>(source: Observable<T>, map: (value: T) => Promise<R>, concurrency: number): Observable<R> {
  return new Observable<R>((subscriber) => {
    const waiting: T[] = []
    const underWay: { result: R | undefined; isDone: boolean }[] = []
    let isComplete = false

    function start(value: T): void {
      const slot: { result: R | undefined; isDone: boolean } = { result: undefined, isDone: false }
      underWay.push(slot)
      map(value).then(
        (result) => {
          slot.result = result
          slot.isDone = true
          drain()
        },
        (error: unknown) => subscriber.error(error),
      )
    }

    function drain(): void {
      while (underWay[0]?.isDone === true) subscriber.next(underWay.shift()?.result as R)
      while (underWay.length < concurrency && waiting.length > 0) start(waiting.shift() as T)
      if (isComplete && underWay.length === 0) subscriber.complete()
    }

    return source.subscribe({
      next: (value) => {
        if (underWay.length < concurrency) start(value)
        else waiting.push(value)
      },
      error: (error) => subscriber.error(error),
      complete: () => {
        isComplete = true
        drain()
      },
    })
  })
}
