import { rmSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'

/** The end of standard input is the end of whoever is guarded. */
const pids = new Set<number>()
const folders = new Set<string>()

// A signal to all that a terminal runs is meant for the others.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => undefined)

for await (const line of createInterface({ input: process.stdin })) {
  const told = JSON.parse(line) as { readonly pid?: number; readonly gone?: number; readonly folder?: string }
  if (told.pid !== undefined) pids.add(told.pid)
  if (told.gone !== undefined) pids.delete(told.gone)
  if (told.folder !== undefined) folders.add(told.folder)
}
for (const pid of pids) end(pid)
if (pids.size > 0) await sleep(200)
for (const folder of folders) rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 })

function end(pid: number): void {
  try {
    process.kill(-pid, 'SIGKILL')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}
