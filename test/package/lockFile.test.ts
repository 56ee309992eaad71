import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'

interface LockedPackage {
  readonly version?: string
  readonly resolved?: string
  readonly optionalDependencies?: Readonly<Record<string, string>>
}

const lock: { packages: Record<string, LockedPackage> } = JSON.parse(
  readFileSync(new URL('../../package-lock.json', import.meta.url), 'utf8'),
)

it('the lock file names no registry, so that it works with every one', () => {
  const resolved = Object.entries(lock.packages).filter(([, entry]) => entry.resolved?.startsWith('http'))
  expect(resolved.map(([path]) => path)).toEqual([])
})

// `npm ci` refuses a lock file that leaves some out, which happens when it is made with a registry that lacks them.
it('the lock file lists the packages of every platform', () => {
  const locked = new Set(Object.keys(lock.packages).map((path) => path.replace(/^.*node_modules\//, '')))
  const needed = Object.values(lock.packages).flatMap((entry) => Object.keys(entry.optionalDependencies ?? {}))
  expect(needed.filter((name) => !locked.has(name))).toEqual([])
})
