import { EMPTY, map } from 'rxjs'
import { describe, expect, it } from 'vitest'
import { outletPlanOf } from '../../../src/host/outletPlan.ts'
import { ConfigurationError, OperatorError } from '../../../src/runtime/errors.ts'
import { definePipeline, type Pipeline } from '../../../src/runtime/pipeline/pipeline.ts'
import { graphOf } from '../../../src/runtime/task/graph.ts'
import { testPipeline } from '../../../src/testing/kit/testPipeline.ts'

const starts: readonly [string, (pipeline: Pipeline) => unknown][] = [
  ['a run', outletPlanOf],
  ['its graph', graphOf],
  ['the test kit', (pipeline) => testPipeline(pipeline as never)],
]

function thrownBy(act: () => unknown): unknown {
  try {
    act()
  } catch (error) {
    return error
  }
  throw new Error('nothing was thrown')
}

describe.each(starts)('what build throws, in %s', (_, start) => {
  const made = (build: () => never) => definePipeline({ name: 'own', build })

  it('is told as a mistake of the pipeline, with its place and its cause', () => {
    const cause = new TypeError('no such product')
    const error = thrownBy(() =>
      start(
        made(() => {
          throw cause
        }),
      ),
    )
    expect(error).toBeInstanceOf(ConfigurationError)
    expect(error).toMatchObject({ pipeline: 'own', cause })
    expect(String(error)).toMatch(
      /pipeline own: its build threw TypeError: no such product \(\/.*buildErrors\.test\.ts:\d+:\d+\)$/,
    )
  })

  it('in a function of RxJS has the place from which that was called', () => {
    const error = thrownBy(() => start(made(() => (undefined as never as { pipe: never }).pipe)))
    expect(String(error)).toContain('buildErrors.test.ts:')
    const inPipe = thrownBy(() =>
      start(
        definePipeline({ name: 'own', build: (records) => records.pipe(map as never, undefined as never) as never }),
      ),
    )
    expect(String(inPipe)).toMatch(/its build threw TypeError: .*buildErrors\.test\.ts:\d+:\d+\)$/)
  })

  it('is left as it is where it is an error of Millrace, and may be no Error at all', () => {
    const own = new OperatorError('says what to do')
    const thrown = (error: unknown) =>
      thrownBy(() =>
        start(
          made(() => {
            throw error
          }),
        ),
      )
    expect(thrown(own)).toBe(own)
    expect(String(thrown('text'))).toMatch(/its build threw text$/)
  })

  it.each([
    [EMPTY, 'an Observable'],
    [undefined, 'undefined'],
    [Promise.resolve(), 'a promise'],
  ])('says what an outlet is where one is %s', (given, said) => {
    const error = thrownBy(() => start(made(() => ({ rows: given }) as never)))
    expect(error).toBeInstanceOf(ConfigurationError)
    expect(String(error)).toMatch(
      /pipeline own: outlet rows must be what toPostgres\(…\), .* has made of a stream, got /,
    )
    expect(String(error)).toContain(`got ${said}`)
  })

  it.each([
    [undefined, 'undefined'],
    [Promise.resolve({}), 'a promise'],
  ])('says that outlets are wanted where it gives %s', (given, said) => {
    const error = thrownBy(() => start(made(() => given as never)))
    expect(error).toBeInstanceOf(ConfigurationError)
    expect(String(error)).toContain(`its build gave ${said}; it returns its outlets`)
  })
})

describe('an input that is none, as JavaScript may have it', () => {
  it.each([
    ['orders', 'input a is text: write { topic: "orders" }'],
    [null, 'input a names no topic'],
    [{}, 'input a names no topic'],
    [{ topic: 7 }, 'input a names no topic'],
  ])('%j is refused, and told what to write', (input, said) => {
    const define = () => definePipeline({ name: 'own', inputs: { a: input as never }, build: () => ({}) })
    expect(define).toThrow(ConfigurationError)
    expect(define).toThrow(said)
  })
})
