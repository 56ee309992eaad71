import { existsSync } from 'node:fs'

/** A Chromium: `CHROMIUM_PATH`, or where systems put it; null where there is none. */
export function browserPath(): string | null {
  const named = process.env.CHROMIUM_PATH
  if (named !== undefined && named !== '') return existsSync(named) ? named : null
  return (
    ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find((path) => existsSync(path)) ??
    null
  )
}
