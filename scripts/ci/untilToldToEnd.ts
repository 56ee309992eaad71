/** Keeps this process until it is told to end, and lets go then. */
export function untilToldToEnd(letGo: () => Promise<void>): void {
  const keepAlive = setInterval(() => undefined, 60_000)
  const end = () => {
    clearInterval(keepAlive)
    void letGo()
  }
  process.once('SIGTERM', end)
  process.once('SIGINT', end)
}
