import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const program = fileURLToPath(new URL('./guardian.ts', import.meta.url))

/**
 * Has what this process starts ended after it, also where it is killed. Without /proc, as on macOS, there is nobody to do so: a run that is killed there leaves
 * its servers to the next one.
 */
export function startGuardian(): void {
  if (!existsSync('/proc/self/stat')) return
  // Its own session: neither Ctrl-C nor the end of the terminal reaches it.
  spawn(process.execPath, [program, String(process.pid)], { detached: true, stdio: 'ignore' }).unref()
}

/** Vitest calls this before the first test. */
export const setup = startGuardian
