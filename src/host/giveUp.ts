import { durationText } from '../console/text.ts'
import { systemClock } from '../runtime/clock.ts'
import type { DatabaseProbe } from './databaseProbe.ts'

/** A database that does not answer anything for so long keeps no stop waiting. */
const giveUpAfterMs = 10_000
const lookEveryMs = 1_000

/**
 * Gives the database up once it has been silent for too long: for a stop, which need not wait until each statement has run into its limit.
 * @returns to be called once nothing waits for the database any more
 */
export function giveUpWhenSilent(probe: DatabaseProbe, lost: AbortController, say: (line: string) => void): () => void {
  const watching = setInterval(() => {
    const now = systemClock.now()
    probe.ask(now)
    if (probe.silentMs(now) < giveUpAfterMs) return
    clearInterval(watching)
    say(
      `PostgreSQL has not answered for ${durationText(giveUpAfterMs)}: stopping without it. Whether the last commit is stored is known to the next start, which goes on from what is.`,
    )
    lost.abort()
  }, lookEveryMs)
  return () => clearInterval(watching)
}
