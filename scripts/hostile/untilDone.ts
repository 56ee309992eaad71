import { runWatched, type WatchedEnd } from './watchedProcess.ts'

/** Where the process under test works. */
export interface HostilePlace {
  readonly folder: string
  readonly env: Readonly<Record<string, string>>
  readonly schema: string
}

/** What came of starting until the end is reached, and doing what errors ask for. */
export interface Driven {
  readonly starts: number
  readonly peakMb: number
  /** Offsets that a person would have had skipped, as the errors named them. */
  readonly skipped: readonly { readonly fromOffset: number; readonly toOffset: number }[]
  readonly problems: readonly string[]
}

const mostStarts = 60
const mostMs = 120_000
const skipPattern = /millrace (offsets skip .*?--from-offset (\d+) --to-offset (\d+|N) --because )"why" --yes/

/**
 * Starts the command until it ends with 0. An error has to name the command that goes on behind what it met, and no place may end two starts.
 * @param endOf where a batch that cannot say so itself ends
 */
export async function driveUntilDone(
  args: readonly string[],
  { folder, env, schema }: HostilePlace,
  endOf: (fromOffset: number) => number,
): Promise<Driven> {
  const skipped: { fromOffset: number; toOffset: number }[] = []
  const problems: string[] = []
  let peakMb = 0
  for (let starts = 1; starts <= mostStarts; starts++) {
    const end = await runWatched(args, env, folder, mostMs)
    peakMb = Math.max(peakMb, end.peakMb)
    if (end.code === 0) return { starts, peakMb, skipped, problems }
    const wanted = skipPattern.exec(end.output)
    if (wanted === null) {
      problems.push(`a start ended with ${end.code} after ${end.seconds.toFixed(1)} s and says no way on: ${tail(end)}`)
      return { starts, peakMb, skipped, problems }
    }
    const fromOffset = Number(wanted[2])
    const toOffset = wanted[3] === 'N' ? endOf(fromOffset) : Number(wanted[3])
    if (skipped.some((range) => range.fromOffset === fromOffset)) {
      problems.push(`two starts ended at offset ${fromOffset}: ${tail(end)}`)
      return { starts, peakMb, skipped, problems }
    }
    skipped.push({ fromOffset, toOffset })
    const command = (wanted[1] as string)
      .replace(/--to-offset \S+/, `--to-offset ${toOffset}`)
      .trim()
      .split(' ')
    const done = await runWatched([...command, 'hostile', '--schema', schema, '--yes'], env, folder, mostMs)
    if (done.code !== 0) problems.push(`what the error asked for was refused: ${tail(done)}`)
  }
  problems.push(`${mostStarts} starts were not enough`)
  return { starts: mostStarts, peakMb, skipped, problems }
}

function tail({ output }: WatchedEnd): string {
  const text = output.trim()
  const fatal = text.search(/FATAL|Fatal error|heap out of memory/)
  return fatal < 0 ? text.slice(-600) : text.slice(Math.max(0, fatal - 300), fatal + 900)
}
