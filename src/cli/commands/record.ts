import { existsSync } from 'node:fs'
import { basename, dirname, resolve } from 'node:path'
import { bytesText, countText } from '../../console/text.ts'
import { tryLock } from '../../embedded/fileLock.ts'
import { Shutdown } from '../../host/shutdown.ts'
import { systemClock } from '../../runtime/clock.ts'
import { type Recorded, recordTape } from '../../sources/recordTape.ts'
import type { CommandContext } from '../commandContext.ts'
import { commandFor } from '../commandFor.ts'
import { exitFailure, exitOk, UsageError } from '../exit.ts'
import { choosePlan } from '../realtime/choosePlan.ts'
import { openFrames } from '../realtime/openFeed.ts'
import { namedSource, type RunPlan } from '../realtime/runPlan.ts'
import { simulatedBanner } from '../realtime/runTexts.ts'
import { shellWord } from '../shellWord.ts'
import { columnsOf, noReader } from '../terminalView.ts'

const lineEveryMs = 5_000

/** Records the frames of the exchange or of the simulator into a tape, until it is stopped or has as much as was asked for. */
export async function record(context: CommandContext): Promise<number> {
  const { settings, origins, args, output } = context
  const [file = ''] = args
  if (/\.(?:gz|zst|zip)$/.test(file)) {
    throw new UsageError(
      `record writes plain lines, so that it can go on where it was: name ${file.replace(/\.\w+$/, '')}, and pack it afterwards.`,
    )
  }
  const named = namedSource(settings, origins)
  if (named === 'none' || named === 'tape' || named === 'coinbase')
    throw new UsageError('record takes frames of --source binance or simulator.')
  const say = (line: string) => void output.out(`${line}\n`)
  const shutdown = new Shutdown(() => output.err('Ended at once. The next start goes on from the last second.'))
  output.onClosed(() => shutdown.begin(noReader))
  const folder = dirname(resolve(file))
  if (!existsSync(folder)) throw new UsageError(`${file}: there is no folder ${folder}: make it, or name another file.`)
  const lock = lockOf(resolve(file))
  const bound = new AbortController()
  try {
    const { plan } = await choosePlan(context, named, { mayFallBack: false })
    for (const line of banner(plan, file)) say(line)
    shutdown.whenStopping(() => bound.abort())
    const { seconds, records = null } = settings
    if (seconds !== undefined) void systemClock.sleep(seconds * 1_000, bound.signal).then(() => bound.abort())
    let saidAt = systemClock.now()
    const recorded = await recordTape({
      feed: await openFrames(plan, settings, say),
      path: resolve(file),
      what: `${plan.sourceText}, ${(plan.symbols ?? []).join(',')}, times in ${plan.timeUnit}`,
      isSimulated: plan.dataSet === 'simulated',
      maxFrames: records,
      clock: systemClock,
      signal: bound.signal,
      onProgress: (so) => {
        if (systemClock.now() - saidAt < lineEveryMs) return
        saidAt = systemClock.now()
        say(progress(so))
      },
      onNotice: say,
    })
    if (recorded.added === 0) {
      output.err(
        `error: nothing was recorded: no frame came. \`${commandFor(context, 'doctor')}\` looks for the reason.`,
      )
      return exitFailure
    }
    say(`${file} holds ${progress(recorded)}. Recorded into again, it goes on from here.`)
    say(`Try: npx millrace run realtime --tape ${shellWord(file)}${readingOf(plan)} --until-end --close-open`)
    return exitOk
  } finally {
    bound.abort()
    lock.release()
    shutdown.dispose()
  }
}

function progress({ frames, bytes }: Recorded): string {
  return `${countText(frames)} frames, ${bytesText(bytes)}`
}

/** How the tape is to be read; that its prices are invented, it says itself. */
function readingOf({ market, timeUnit }: RunPlan): string {
  return `${market === 'usdm' ? ' --market usdm' : ''}${timeUnit === 'us' ? ' --time-unit us' : ''}`
}

function banner(plan: RunPlan, file: string): readonly string[] {
  return [
    `Recording ${plan.sourceText}, ${(plan.symbols ?? []).join(', ')}, into ${file}. Ctrl-C stops cleanly.`,
    ...(plan.dataSet === 'simulated' ? simulatedBanner(null, columnsOf(process.stdout)) : []),
  ]
}

function lockOf(path: string) {
  const attempt = tryLock(`${path}.lock`)
  if ('lock' in attempt) return attempt.lock
  throw new UsageError(
    `Process ${attempt.holder.pid} records into ${basename(path)} already: stop it first, or name another file.`,
  )
}
