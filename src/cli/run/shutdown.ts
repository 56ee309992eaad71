import { exitInterrupted } from '../exit.ts'

export interface Shutdown {
  /** Fires at the first SIGINT or SIGTERM. */
  readonly signal: AbortSignal
  dispose(): void
}

/** Turns the first SIGINT or SIGTERM into a signal for a clean stop; a second one ends the process at once, with exit code 130. */
export function listenForShutdown(onFirst: (name: string) => void, onSecond: () => void): Shutdown {
  const controller = new AbortController()
  const handle = (name: NodeJS.Signals) => {
    if (!controller.signal.aborted) {
      onFirst(name)
      controller.abort()
      return
    }
    onSecond()
    process.exit(exitInterrupted)
  }
  process.on('SIGINT', handle)
  process.on('SIGTERM', handle)
  return {
    signal: controller.signal,
    dispose: () => {
      process.off('SIGINT', handle)
      process.off('SIGTERM', handle)
    },
  }
}
