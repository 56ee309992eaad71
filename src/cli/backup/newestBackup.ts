import { begunAt } from '../../backup/backupKeys.ts'
import { listBackups } from '../../backup/backupManifest.ts'
import { systemClock } from '../../runtime/clock.ts'
import type { CommandContext } from '../commandContext.ts'
import { describeFailure } from '../exit.ts'
import { openBackups } from './backupStores.ts'

/** A listing costs more than a metric is worth, so it is asked for this seldom. */
const lastsMs = 300_000

/**
 * Gives when the newest whole backup was taken, ms UTC; 0 where there is none, and null where no place is named or it does not answer, which is told.
 */
export function newestBackup(context: CommandContext): () => Promise<number | null> {
  if (context.settings.backupPlace === undefined) return async () => null
  let known: { readonly at: number; readonly value: Promise<number | null> } | null = null
  const look = async () => {
    try {
      const store = await openBackups(context)
      try {
        const newest = (await listBackups(store)).whole.at(-1)
        return newest === undefined ? 0 : begunAt(newest)
      } finally {
        await store.close()
      }
    } catch (error) {
      context.output.err(describeFailure(error))
      return null
    }
  }
  return () => {
    const now = systemClock.now()
    if (known === null || now - known.at > lastsMs) known = { at: now, value: look() }
    return known.value
  }
}
