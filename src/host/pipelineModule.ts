import type { Json } from '../runtime/json.ts'
import type { Pipeline } from '../runtime/pipeline/pipeline.ts'

/** How a process of its own comes to the pipeline: it imports the module and calls its `makePipeline` with the argument. */
export interface PipelineModule {
  /** `file://…` */
  readonly url: string
  readonly argument: Json
}

interface ModuleOfPipeline {
  makePipeline(argument: Json): Pipeline | Promise<Pipeline>
}

/** The pipeline that the module makes. */
export async function makePipeline({ url, argument }: PipelineModule): Promise<Pipeline> {
  const module = (await import(url)) as ModuleOfPipeline
  return module.makePipeline(argument)
}
