import { defineConfig } from 'vitest/config'
import { summaryReporter } from './test/support/summaryReporter.ts'

/** Tests of the pages in a real browser: `npm run test:browser`. */
export default defineConfig({
  test: {
    include: ['test/browser/**/*.browser.ts'],
    watch: false,
    pool: 'forks',
    maxWorkers: 1,
    testTimeout: 120_000,
    hookTimeout: 180_000,
    teardownTimeout: 10_000,
    globalSetup: ['test/support/guardian/startGuardian.ts'],
    reporters: ['dot', summaryReporter()],
  },
})
