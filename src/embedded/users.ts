import { randomUUID } from 'node:crypto'
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Layout } from './layout.ts'
import { isRunning, ownIdentity, parseIdentity } from './processIdentity.ts'

/** Notes that this process uses the server, under a name of its own. Call while holding the folder's lock, like the others here. */
export function addUser(layout: Pick<Layout, 'users'>): string {
  mkdirSync(layout.users, { recursive: true })
  const path = join(layout.users, `${process.pid}-${randomUUID().slice(0, 8)}.json`)
  writeFileSync(path, JSON.stringify(ownIdentity()))
  return path
}

export function removeUser(path: string): void {
  rmSync(path, { force: true })
}

/** How many running users there are; notes of those that were killed are swept. */
export function countUsers(layout: Pick<Layout, 'users'>): number {
  mkdirSync(layout.users, { recursive: true })
  let running = 0
  for (const name of readdirSync(layout.users)) {
    const path = join(layout.users, name)
    const identity = parseIdentity(readFileSync(path, 'utf8'))
    if (identity !== null && isRunning(identity)) running += 1
    else rmSync(path, { force: true })
  }
  return running
}
