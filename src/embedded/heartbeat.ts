import { statSync, utimesSync } from 'node:fs'

const everyMs = 1_000

/** A process that was not heard of for so long, and that cannot be looked at from here, is taken for dead. */
export const silenceLimitMs = 10_000

/** Touches the file every second while this process lives, for those who cannot see its pid: other containers, other machines. */
export function keepAlive(path: string): () => void {
  const timer = setInterval(() => {
    try {
      const now = new Date()
      utimesSync(path, now, now)
    } catch {
      // Somebody has removed it, and with that has taken what it stood for.
      clearInterval(timer)
    }
  }, everyMs)
  timer.unref()
  return () => clearInterval(timer)
}

/** How long nobody has touched the file, ms; 0 for one that is gone. */
export function silentMs(path: string): number {
  const touched = statSync(path, { throwIfNoEntry: false })?.mtimeMs
  return touched === undefined ? 0 : Math.max(0, Date.now() - touched)
}
