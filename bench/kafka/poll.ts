import { setTimeout as sleep } from 'node:timers/promises'

/** Asks until the answer is yes. Rejects after `timeoutMs`. */
export async function poll(
  { everyMs, timeoutMs }: { readonly everyMs: number; readonly timeoutMs: number },
  isDone: () => Promise<boolean>,
): Promise<void> {
  const deadline = performance.now() + timeoutMs
  while (!(await isDone())) {
    if (performance.now() > deadline) throw new Error(`nothing came of it within ${timeoutMs} ms`)
    await sleep(everyMs)
  }
}
