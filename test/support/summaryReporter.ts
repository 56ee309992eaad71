import type { Reporter, TestModule } from 'vitest/node'

interface Totals {
  passed: number
  failed: number
  /** Names of the tests; they say what is needed to run them. */
  readonly skipped: string[]
}

/**
 * Ends the output with one plain line, `N passed, N failed, N skipped`, for people and scripts that read only the end; before
 * it every test that was skipped, so that none is silently missing.
 */
export const summaryReporter = (): Reporter => ({
  onTestRunEnd(modules, unhandledErrors) {
    const totals: Totals = { passed: 0, failed: unhandledErrors.length, skipped: [] }
    for (const module of modules) count(module, totals)
    const skipped = totals.skipped.map((name) => `skipped: ${name}\n`).join('')
    // Vitest prints its own totals, and what was left open, after the reporters: hence at the very end.
    process.once('exit', () => {
      process.stdout.write(
        `\n${skipped}${totals.passed} passed, ${totals.failed} failed, ${totals.skipped.length} skipped\n`,
      )
    })
  },
})

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
