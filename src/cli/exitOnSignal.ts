import { endSignals } from '../host/shutdown.ts'

/** As shells report a process that a signal ended. */
const exitCodes = { SIGHUP: 129, SIGINT: 130, SIGTERM: 143, ...endSignals } as const

/**
 * Lets the signals that end a command end it by `process.exit`, so that what is to be done at an exit is done; by themselves they would not. A command that already stops by
 * itself at a signal is left to it.
 * @returns to be called when there is nothing left to do
 */
export function exitOnSignal(): () => void {
  const all = Object.keys(exitCodes) as (keyof typeof exitCodes)[]
  const signals = all.filter((signal) => process.listenerCount(signal) === 0)
  const exit = (signal: NodeJS.Signals) => {
    // Who listens since then ends in order.
    if (process.listenerCount(signal) === 1) process.exit(exitCodes[signal as keyof typeof exitCodes])
  }
  for (const signal of signals) process.on(signal, exit)
  return () => {
    for (const signal of signals) process.off(signal, exit)
  }
}
