import { describe, expect, it } from 'vitest'
import { chaosOnBatch } from '../../scripts/chaos/batch/batchChaos.ts'
import { testDatabase } from '../support/postgres.ts'

describe('npm run chaos -- --batch', () => {
  it('leaves of passes that were killed what one undisturbed pass makes', { timeout: 300_000 }, async () => {
    const db = await testDatabase({ isMigrated: false })
    try {
      const summary = await chaosOnBatch({ kills: 4, seed: 3, address: db.connection, say: () => undefined })
      expect(summary).toMatchObject({ kills: 4, different: 0, uncommitted: 0, lost: 0, orphans: 0 })
      expect(summary.rows).toBeGreaterThan(30)
    } finally {
      await db.close()
    }
  })
})
