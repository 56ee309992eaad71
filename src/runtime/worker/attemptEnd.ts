import { sleptEnough } from '../clock.ts'
import type { Attempt } from './attempt.ts'
import type { AttemptCheckpoints } from './attemptCheckpoints.ts'
import type { StopMode } from './stopMode.ts'
import type { UnpromptedTime } from './unpromptedTime.ts'

/** How often it is told what a task waits for at its end. */
const tellEveryMs = 500

/** A stop does not wait for a store that is away. */
const settleWithinMs = 5_000

/** Ends an attempt that has read what it was to read: what is open is closed where that is asked for, and all that there is is stored; `sendRest` sends it. */
export async function storeRest(
  attempt: Attempt,
  checkpoints: AttemptCheckpoints,
  time: UnpromptedTime,
  mode: StopMode,
): Promise<void> {
  if (mode === 'drain-and-close') await time.end()
  if (mode !== 'now' && attempt.archives.length > 0)
    await finishArchives(attempt, mode === 'settle' ? settleWithinMs : null)
  await checkpoints.cut(true)
  await checkpoints.wait()
}

/** @param withinMs after which the object is left to the next start, which makes it anew from the log; null to wait for as long as it takes */
async function finishArchives({ archives, options, signal, status }: Attempt, withinMs: number | null): Promise<void> {
  status.waitingFor = 'the archive to store its last object'
  const finish = (until: AbortSignal) => Promise.all(archives.map(({ writer }) => writer.finish(until)))
  if (withinMs === null) {
    await finish(signal)
    return
  }
  const over = new AbortController()
  const finishing = finish(over.signal)
  await Promise.race([finishing, options.clock.sleep(withinMs, over.signal)])
  over.abort(sleptEnough)
  await finishing
}

/** Sends what is committed, and says meanwhile what keeps it from being sent. */
export async function sendRest({ relays, status, options, signal }: Attempt): Promise<void> {
  if (relays.status.length === 0) return
  const over = new AbortController()
  const tell = async () => {
    while (!over.signal.aborted) {
      status.waitingFor = relays.waitingFor ?? 'outlets to send what is committed'
      await options.clock.sleep(tellEveryMs, over.signal)
    }
  }
  const telling = tell()
  try {
    await relays.finish(signal)
  } finally {
    over.abort(sleptEnough)
    await telling
  }
}
