import { graphMermaid } from '../../console/graphMermaid.ts'
import { graphText } from '../../console/graphText.ts'
import { tradeCodec } from '../../market/tradeCodec.ts'
import { realtime } from '../../pipelines/realtime.ts'
import { MillraceError } from '../../runtime/errors.ts'
import type { Pipeline } from '../../runtime/pipeline/pipeline.ts'
import { graphOf, type PipelineGraph } from '../../runtime/task/graph.ts'
import type { CommandContext } from '../commandContext.ts'
import { exitOk, UsageError } from '../exit.ts'
import { errorInFile } from '../importFile.ts'
import { loadPipeline } from '../loadPipeline.ts'
import type { SettingValues } from '../settings.ts'

/** Pipelines that come with the package, by what the command line calls them. */
const shipped: ReadonlyMap<string, () => Pipeline> = new Map([
  ['realtime', () => realtime(tradeCodec({ market: 'spot', timeUnit: 'ms' }))],
])

/** Prints the graph of a pipeline. Builds it and runs nothing. */
export async function graph({ settings, args, output }: CommandContext): Promise<number> {
  if (settings.json && settings.mermaid) {
    throw new UsageError('--json and --mermaid are two ways to print it: choose one.')
  }
  const [file = ''] = args
  const pipeline = shipped.get(file)?.() ?? (await loadPipeline(file, [...shipped.keys()]))
  await output.out(`${rendered(graphIn(file, pipeline), settings)}\n`)
  return exitOk
}

function graphIn(file: string, pipeline: Pipeline): PipelineGraph {
  try {
    return graphOf(pipeline)
  } catch (error) {
    if (error instanceof MillraceError) throw error
    throw new UsageError(`${file}: build() of pipeline ${pipeline.name} threw: ${errorInFile(file, error)}`, {
      cause: error,
    })
  }
}

function rendered(found: PipelineGraph, { json, mermaid }: SettingValues): string {
  if (json) return JSON.stringify(found, null, 2)
  return (mermaid ? graphMermaid(found) : graphText(found)).join('\n')
}
