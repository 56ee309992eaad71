import type { Pipeline } from '../runtime/pipeline/pipeline.ts'
import { loadPipeline } from './loadPipeline.ts'

/** The pipeline of a file, for a worker process that loads it itself. */
export function makePipeline(file: string): Promise<Pipeline> {
  return loadPipeline(file)
}
