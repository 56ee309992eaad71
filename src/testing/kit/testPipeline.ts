import type { Inputs } from '../../runtime/pipeline/input.ts'
import type { InputsPipeline, Outlets, Pipeline } from '../../runtime/pipeline/pipeline.ts'
import { InputsTestRun, RecordsTestRun, type TestPipelineOptions, type TestRun } from './testRun.ts'

/**
 * Runs one partition of a pipeline in a test, synchronously, and against itself: beside the task that is saved and restored
 * all the time (and crashes where told), the same records go through one that is never interrupted. `finish` compares both.
 *
 * A pipeline with inputs gets records by the name of the input, in the order in which the test pushes them. While a record is pushed the wall clock,
 * chance and timers are poisoned; the error names the operator that asked.
 * @throws ConfigurationError on options out of range
 */
export function testPipeline<const I extends Inputs, const O extends Outlets>(
  pipeline: InputsPipeline<I, O>,
  options?: TestPipelineOptions,
): InputsTestRun<I, O>
export function testPipeline<const O extends Outlets>(
  pipeline: Pipeline<O> & { readonly inputs?: undefined },
  options?: TestPipelineOptions,
): RecordsTestRun<O>
export function testPipeline(pipeline: Pipeline, options: TestPipelineOptions = {}): TestRun<Outlets> {
  return pipeline.inputs === undefined ? new RecordsTestRun(pipeline, options) : new InputsTestRun(pipeline, options)
}
