import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { Reporter, TestModule, TestSpecification } from 'vitest/node'

interface Totals {
  passed: number
  failed: number
  /** Names of the tests; they say what is needed to run them. */
  readonly skipped: string[]
}

const cache = fileURLToPath(new URL('../../.cache/', import.meta.url))
const lastRun = `${cache}last-test-run.json`
/** Before there was a run: what it takes on two cores with nothing beside it. */
const firstMinutes = 17
const slowestFiles = 10

/**
 * Says before the first test how long all of them take, and ends the output with one plain line, `N passed, N failed, N skipped`, for people and scripts that
 * read only the end; before it every test that was skipped, so that none is silently missing, and which files took longest.
 */
export const summaryReporter = (): Reporter => {
  let startedAt = 0
  // Names of files or of tests choose some of them.
  const isWhole = process.argv.slice(2).every((word) => word === 'run')
  return {
    onTestRunStart(files: readonly TestSpecification[]) {
      startedAt = performance.now()
      if (isWhole) process.stdout.write(`${announcement(files.length)}\n`)
    },
    onTestRunEnd(modules, unhandledErrors, reason) {
      const totals: Totals = { passed: 0, failed: unhandledErrors.length, skipped: [] }
      for (const module of modules) count(module, totals)
      if (isWhole && reason !== 'interrupted') remember((performance.now() - startedAt) / 60_000)
      const skipped = totals.skipped.map((name) => `skipped: ${name}\n`).join('')
      const slow = isWhole ? slowest(modules) : ''
      // Vitest prints its own totals, and what was left open, after the reporters: hence at the very end.
      process.once('exit', () => {
        process.stdout.write(
          `\n${slow}${skipped}${totals.passed} passed, ${totals.failed} failed, ${totals.skipped.length} skipped\n`,
        )
      })
    },
  }
}

function slowest(modules: readonly TestModule[]): string {
  const took = (module: TestModule) => module.diagnostic().duration / 1_000
  return modules
    .toSorted((a, b) => took(b) - took(a))
    .slice(0, slowestFiles)
    .map((module) => `${took(module).toFixed(0)} s: ${module.relativeModuleId}\n`)
    .join('')
}

function announcement(files: number): string {
  const minutes = lastMinutes()
  const how =
    minutes === null ? `about ${firstMinutes} minutes on two cores` : `${minutes} minutes, as the last time here`
  return `${files} files of tests, ${how}. A dot is a test; failures are told in full at the end.`
}

function lastMinutes(): number | null {
  try {
    const { minutes }: { minutes: unknown } = JSON.parse(readFileSync(lastRun, 'utf8'))
    return typeof minutes === 'number' ? Math.max(1, Math.round(minutes)) : null
  } catch {
    // There was none.
    return null
  }
}

function remember(minutes: number): void {
  mkdirSync(cache, { recursive: true })
  writeFileSync(lastRun, JSON.stringify({ minutes }))
}

function count(module: TestModule, totals: Totals): void {
  // A file that does not load and a hook that throws fail without a test that does.
  for (const suite of [module, ...module.children.allSuites()]) totals.failed += suite.errors().length
  for (const test of module.children.allTests()) {
    const { state } = test.result()
    if (state === 'passed') totals.passed++
    else if (state === 'skipped') totals.skipped.push(test.fullName)
    // A test that never got a result, because the run was cut short, has not passed.
    else totals.failed++
  }
}
