import { systemClock } from '../runtime/clock.ts'

/**
 * What happens to the server while somebody uses it: its `state` is `running`, as the process with the id `pid`, or `restarting`.
 *
 * `attempt` counts the tries to start it again, from 1; `error` is what that try failed with, or null before the first has.
 */
export type ServerStatus =
  | { readonly state: 'running'; readonly pid: number }
  | { readonly state: 'restarting'; readonly attempt: number; readonly error: Error | null }

export interface Watch {
  isAlive(): boolean
  /** Resolves with the pid once the server takes connections. */
  restart(): Promise<number>
  onStatus(status: ServerStatus): void
}

export interface Supervisor {
  /** Resolves when no attempt to restart is under way and none will follow. */
  stop(): Promise<void>
}

const checkEveryMs = 200
const firstDelayMs = 100
const longestDelayMs = 5_000

/**
 * Starts the server again whenever it is found dead, as often as it takes: a full disk or a taken port passes some day, and the
 * pipeline waits meanwhile. Polls, because the server is the child of whichever process started it, and perhaps of none any more.
 */
export function watchServer(watch: Watch): Supervisor {
  const stopping = new AbortController()
  let busy: Promise<void> = Promise.resolve()
  let timer: NodeJS.Timeout

  const plan = () => {
    timer = setTimeout(() => {
      busy = check().then(() => {
        if (!stopping.signal.aborted) plan()
      })
    }, checkEveryMs)
    timer.unref()
  }

  const check = async () => {
    for (let attempt = 1; !stopping.signal.aborted && !isAlive(watch); attempt += 1) {
      if (attempt === 1) watch.onStatus({ state: 'restarting', attempt, error: null })
      try {
        const pid = await watch.restart()
        watch.onStatus({ state: 'running', pid })
      } catch (error) {
        watch.onStatus({
          state: 'restarting',
          attempt,
          error: error instanceof Error ? error : new Error(String(error)),
        })
        const delayMs = Math.min(longestDelayMs, firstDelayMs * 2 ** (attempt - 1))
        await systemClock.sleep(delayMs, stopping.signal)
      }
    }
  }

  plan()
  return {
    async stop() {
      stopping.abort()
      clearTimeout(timer)
      await busy
    },
  }
}

// A folder that cannot be read for a moment says nothing about the server; an attempt to restart will say what is wrong.
function isAlive(watch: Watch): boolean {
  try {
    return watch.isAlive()
  } catch {
    return false
  }
}
