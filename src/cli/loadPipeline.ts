import { definedPipelines } from '../runtime/definedHere.ts'
import type { Pipeline } from '../runtime/pipeline/pipeline.ts'
import { definedExport, type ExportedKind } from './definedExport.ts'
import { importFile, type ModuleExports } from './importFile.ts'

const pipelines: ExportedKind = {
  what: 'pipeline',
  madeBy: 'definePipeline',
  defined: definedPipelines,
  remark: (value) =>
    typeof value === 'object' && value !== null && 'build' in value && 'name' in value
      ? ' (not made by definePipeline, or a copy of what it has made)'
      : '',
}

/**
 * The pipeline that a TypeScript or JavaScript file exports: as its default, or as the only one.
 * @param shipped names of pipelines that need no file, one of which could have been meant
 * @throws UsageError, which says what was looked for, and what is there instead
 */
export async function loadPipeline(file: string, shipped: readonly string[] = []): Promise<Pipeline> {
  return pipelineIn(await importFile(file, shipped), file)
}

/** The pipeline among the exports of a module. Throws `UsageError` where there is none, or no telling which. */
export function pipelineIn(exports: ModuleExports, file: string): Pipeline {
  return definedExport(pipelines, exports, file)
}
