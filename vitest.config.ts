import { defineConfig } from 'vitest/config'
import { summaryReporter } from './test/support/summaryReporter.ts'

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    watch: false,
    // Processes rather than threads: tests start servers, send signals and exhaust memory on purpose.
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: 30_000,
    hookTimeout: 60_000,
    teardownTimeout: 10_000,
    globalSetup: ['test/support/guardian/startGuardian.ts', 'test/support/makeAssembly.ts'],
    // A dot a test, every failure in full, the totals, and one plain line at the very end.
    reporters: ['dot', summaryReporter()],
  },
})
