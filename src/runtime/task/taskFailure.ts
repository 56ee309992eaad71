import { BadRowError } from '../badRow.ts'
import { MillraceError, OperatorError } from '../errors.ts'
import type { RecordPlace } from '../letters/provenance.ts'
import { type FailedEmission, StepFailure, wholeRecord } from '../letters/stepFailure.ts'
import type { Pipeline } from '../pipeline/pipeline.ts'

/** Whose doing it is what fails. */
interface FailurePlace {
  readonly offset: number
  readonly cause: RecordPlace
}

/** The first error of a task, which breaks it for good. Keeps that one: what comes after it is a consequence. */
export class TaskFailure {
  readonly #pipeline: Pick<Pipeline, 'name' | 'onError'>
  readonly #place: FailurePlace
  readonly #isAlsoFatal: (error: unknown) => boolean
  #first: { readonly error: unknown } | null = null

  /** @param isAlsoFatal true for an error that ends the task whatever the pipeline says */
  constructor(
    pipeline: Pick<Pipeline, 'name' | 'onError'>,
    place: FailurePlace,
    isAlsoFatal: (error: unknown) => boolean = () => false,
  ) {
    this.#pipeline = pipeline
    this.#place = place
    this.#isAlsoFatal = isAlsoFatal
  }

  get hasHappened(): boolean {
    return this.#first !== null
  }

  /** True for an error that ends the task, whatever value it came with. */
  isFatal(error: unknown): boolean {
    return error instanceof MillraceError || this.#pipeline.onError === 'stop' || this.#isAlsoFatal(error)
  }

  fail(error: unknown): void {
    this.#first ??= { error }
  }

  /** An outlet could not take a result. */
  failResult(error: unknown): void {
    this.fail(error instanceof BadRowError ? this.#badRow(error) : error)
  }

  /**
   * A step that is no operator of ours has thrown.
   * @param below what stands right below it
   * @param emission what it could not take; null where nobody watched
   */
  failStep(below: string, error: unknown, emission: FailedEmission | null): void {
    if (this.isFatal(error)) {
      this.fail(error)
      return
    }
    const { name: pipeline } = this.#pipeline
    const { input, offset } = this.#place.cause
    const message = `pipeline ${pipeline} failed at offset ${offset}, in a step above ${below}: ${textOf(error)}`
    this.fail(new StepFailure(message, { pipeline, input, offset, cause: error, emission }))
  }

  /** The record as a whole cannot be taken, because of what it brings about. */
  failRecord(detail: string): void {
    const { name: pipeline, onError } = this.#pipeline
    const { input, offset } = this.#place.cause
    const message = `pipeline ${pipeline}, offset ${offset}: ${detail}`
    const place = { pipeline, input, offset, cause: detail, emission: wholeRecord }
    this.fail(
      onError === 'stop'
        ? new OperatorError(message, { pipeline, offset })
        : new StepFailure(message, place, 'too-many-results'),
    )
  }

  /** Throws it, where there is one. */
  check(): void {
    if (this.#first === null) return
    const { error } = this.#first
    if (error instanceof MillraceError) throw error
    const { name: pipeline } = this.#pipeline
    const { offset } = this.#place
    throw new OperatorError(`pipeline ${pipeline} failed at offset ${offset}: ${textOf(error)}`, {
      ...{ cause: error, pipeline, offset },
    })
  }

  #badRow(cause: BadRowError): BadRowError {
    return new BadRowError(cause.message, { pipeline: this.#pipeline.name, offset: this.#place.offset, cause })
  }
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
