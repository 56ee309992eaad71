import type { Observable } from 'rxjs'
import { checkArgument, needed } from '../runtime/options.ts'
import type { ArchiveOutlet } from '../runtime/pipeline/outlet.ts'

/**
 * Keeps the raw records of an input of the pipeline: key, value, headers, offset and timestamp, byte for byte, whatever `build` makes of them.
 *
 * Takes the stream of the input as `build` gets it, decoded or not. Records go into compressed objects in the place that the runner's settings name, and the checkpoint
 * names those that are durable, so that readers see each record once after any crash. The archive goes on from an offset of its own, behind the results, which do not wait for it. Nothing
 * is kept where the runner has no archive.
 * @throws ConfigurationError on what is no stream
 */
export function toArchive(input: Observable<unknown>): ArchiveOutlet {
  checkArgument('toArchive', 'its first argument, an input,', input, needed.stream)
  return { kind: 'archive', values: input }
}
