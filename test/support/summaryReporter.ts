import type { Reporter, TestModule } from 'vitest/node'

/** Ends the output with one plain line, `N passed, N failed, N skipped`, for people and scripts that read only the end. */
export const summaryReporter = (): Reporter => ({
  onTestRunEnd(modules, unhandledErrors) {
    const counts = { passed: 0, failed: unhandledErrors.length, skipped: 0 }
    for (const module of modules) count(module, counts)
    // Vitest prints its own totals, and what was left open, after the reporters: hence at the very end.
    process.once('exit', () => {
      process.stdout.write(`${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped\n`)
    })
  },
})

function count(module: TestModule, counts: { passed: number; failed: number; skipped: number }): void {
  // A file that does not load and a hook that throws fail without a test that does.
  for (const suite of [module, ...module.children.allSuites()]) counts.failed += suite.errors().length
  for (const test of module.children.allTests()) {
    const { state } = test.result()
    if (state === 'passed') counts.passed++
    else if (state === 'skipped') counts.skipped++
    // A test that never got a result, because the run was cut short, has not passed.
    else counts.failed++
  }
}
