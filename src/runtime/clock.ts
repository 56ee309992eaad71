/** Processing time. The worker's, never an operator's: results depend on event time alone. */
export interface Clock {
  /** ms UTC. */
  now(): number
  /** Resolves after `ms`, or at once when the signal fires (it does not reject). */
  sleep(ms: number, signal?: AbortSignal): Promise<void>
}

/** Why a sleep is ended that nobody needs any more. Without a reason of its own each end would make an exception, with its stack. */
export const sleptEnough = 'slept enough'

/** Beginning at the machine's time and then going on evenly, whatever is done to that: for waits and silences, which no step of the clock may end. */
export const steadyClock: Clock = {
  now: () => Math.floor(performance.timeOrigin + performance.now()),
  sleep: (ms, signal) => systemClock.sleep(ms, signal),
}

const longestTimerMs = 2 ** 31 - 1

/** The clock of the machine, for everything that does not simulate time. */
export const systemClock: Clock = {
  now: () => Date.now(),
  sleep: (ms, signal) =>
    new Promise((resolve) => {
      if (signal?.aborted === true) return resolve()
      const done = () => {
        clearTimeout(timer)
        signal?.removeEventListener('abort', done)
        resolve()
      }
      let timer: NodeJS.Timeout
      // One that is asked to wait for longer than 24 days goes off at once.
      const wait = (left: number) => {
        const piece = Math.min(left, longestTimerMs)
        timer = setTimeout(() => (left > piece ? wait(left - piece) : done()), piece)
      }
      wait(ms)
      signal?.addEventListener('abort', done, { once: true })
    }),
}
