import { defineConfig } from 'vitest/config'
import { SlowFirst } from './test/support/slowFirst.ts'
import { summaryReporter } from './test/support/summaryReporter.ts'

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    watch: false,
    // Processes rather than threads: tests start servers, send signals and exhaust memory on purpose.
    pool: 'forks',
    // More than the two cores of the CI machine: much of the time goes into waiting for processes.
    maxWorkers: 3,
    sequence: { sequencer: SlowFirst },
    // On busy cores a test of a few seconds takes many times as long; one that hangs is told all the same.
    testTimeout: 60_000,
    hookTimeout: 120_000,
    teardownTimeout: 10_000,
    globalSetup: ['test/support/guardian/startGuardian.ts', 'test/support/makeAssembly.ts'],
    // A dot a test, every failure in full, the totals, and one plain line at the very end.
    reporters: ['dot', summaryReporter()],
  },
})
