/** What the work gives, or null when the signal fires first. */
export async function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T | null> {
  const settled = new AbortController()
  const stopped = new Promise<null>((resolve) => {
    if (signal.aborted) resolve(null)
    else signal.addEventListener('abort', () => resolve(null), { once: true, signal: settled.signal })
  })
  try {
    return await Promise.race([work, stopped])
  } finally {
    settled.abort()
  }
}
