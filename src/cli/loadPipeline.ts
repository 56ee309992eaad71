import { makerOf, thisCopy } from '../runtime/definedPipelines.ts'
import type { Pipeline } from '../runtime/pipeline.ts'
import { UsageError } from './exit.ts'
import { importFile, type ModuleExports } from './importFile.ts'

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
  if (isDefined(exports.default)) return ofThisCopy(exports.default, file)
  const names = Object.keys(exports).filter((name) => isDefined(exports[name]))
  const [pipeline, ...others] = new Set(names.map((name) => exports[name]).filter(isDefined))
  if (pipeline === undefined) {
    throw new UsageError(
      `${file} exports no pipeline. ${whatIsThere(exports)} Make one with definePipeline, and make it the default export.`,
    )
  }
  if (others.length > 0) {
    throw new UsageError(
      `${file} exports several pipelines (${names.join(', ')}) and none as its default: make the one that is meant the default export.`,
    )
  }
  return ofThisCopy(pipeline, file)
}

function isDefined(value: unknown): value is Pipeline {
  return makerOf(value) !== null
}

function ofThisCopy(pipeline: Pipeline, file: string): Pipeline {
  const maker = makerOf(pipeline)
  if (maker === null || maker === thisCopy) return pipeline
  throw new UsageError(
    `${file}: pipeline ${pipeline.name} is made by a second copy of millrace, in ${maker.folder}; this command is of the copy in ${thisCopy.folder}. ` +
      'Run `npx millrace` in the project of the file; where that is what you did, run `npm ls millrace` and leave one copy.',
  )
}

function whatIsThere(exports: ModuleExports): string {
  // Node gives a CommonJS module's exports under this name as well.
  const { 'module.exports': _commonJs, ...own } = exports
  const found = Object.entries(own).map(([name, value]) => `${name}${remark(value)}`)
  return found.length === 0 ? 'It exports nothing.' : `It exports ${found.join(', ')}.`
}

function remark(value: unknown): string {
  if (typeof value === 'function') return ' (a function: export what it gives)'
  if (typeof value === 'object' && value !== null && 'build' in value && 'name' in value) {
    return ' (not made by definePipeline, or a copy of what it has made)'
  }
  return ''
}
