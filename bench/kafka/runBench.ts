import { Cleanup } from '../../src/host/cleanup.ts'

/** What a benchmark gets to work with. */
export interface Bench {
  /** Gets what is to be closed, which happens however the benchmark ends; at once where it has ended already. */
  readonly cleanup: Pick<Cleanup, 'add'>
  /** Ends the benchmark with a failure that nobody awaits: a process that died, for instance. */
  fail(error: unknown): void
}

const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const
const cleanupMs = 90_000

/**
 * Runs a benchmark so that it cannot end without a word: with a result and exit code 0, or with what went wrong on stderr, before anything is closed,
 * and exit code 1. A signal counts as going wrong.
 */
export async function runBench(main: (bench: Bench) => Promise<void>): Promise<void> {
  const failure = Promise.withResolvers<never>()
  const interrupted = (signal: NodeJS.Signals) =>
    failure.reject(new Error(`ended by ${signal} before there was a result`))
  for (const signal of signals) process.on(signal, interrupted)
  // Servers and idle connections do not keep Node running: where nothing else is left, it would end with a promise still waited for.
  const holding = setInterval(() => undefined, 1_000)
  process.exitCode = 1
  let hasFailed = false
  const failed = (error: unknown) => {
    hasFailed = true
    console.error(error)
  }
  const cleanup = new LateCleanup(failed)
  const working = main({ cleanup, fail: failure.reject })
  await Promise.race([working, failure.promise]).catch(failed)
  await within(cleanupMs, cleanup.run(), 'closing what was opened').catch(failed)
  // One that was ended from outside may be opening something at the moment. Its own error by now is that all is closed.
  await within(
    cleanupMs,
    working.catch(() => undefined),
    'the end of what was under way',
  ).catch(failed)
  for (const signal of signals) process.off(signal, interrupted)
  clearInterval(holding)
  if (!hasFailed) process.exitCode = 0
}

class LateCleanup extends Cleanup {
  readonly #onFailed: (error: unknown) => void
  #hasRun = false

  constructor(onFailed: (error: unknown) => void) {
    super()
    this.#onFailed = onFailed
  }

  override add(step: () => Promise<void> | void): void {
    super.add(step)
    if (this.#hasRun) super.run().catch(this.#onFailed)
  }

  override run(): Promise<void> {
    this.#hasRun = true
    return super.run()
  }
}

/** What `work` gives, unless that takes too long. */
export async function within<T>(ms: number, work: Promise<T>, what: string): Promise<T> {
  const late = Promise.withResolvers<never>()
  const timer = setTimeout(() => late.reject(new Error(`${what} took more than ${ms} ms`)), ms)
  try {
    return await Promise.race([work, late.promise])
  } finally {
    clearTimeout(timer)
  }
}

/** A number that a flag gives. Throws where it is none from 1 up. */
export function countOf(flag: string, text: string): number {
  const count = Number(text)
  if (!Number.isInteger(count) || count < 1) throw new Error(`${flag} must be a whole number from 1 up, got ${text}`)
  return count
}
