import { expect, it } from 'vitest'
import { runOwners } from '../../../src/testing/simulation/owners/ownersRun.ts'

// SIMULATION_SEED tries others; `npm run simulate:owners` runs thousands.
const firstSeed = Number(process.env.SIMULATION_SEED ?? 1)

it(`keys that meet in several partitions are in one row or in letters, from seed ${firstSeed}`, {
  timeout: 60_000,
}, async () => {
  const totals = { letters: 0, held: 0, rows: 0 }
  for (let seed = firstSeed; seed < firstSeed + 50; seed++) {
    const { untruths, letters, held, rows } = await runOwners(seed)
    expect(untruths, `seed ${seed}: npm run simulate:owners -- --schedules 1 --seed ${seed}`).toEqual([])
    totals.letters += letters
    totals.held += held
    totals.rows += rows
  }
  expect(totals.letters).toBeGreaterThan(500)
  expect(totals.held).toBeGreaterThan(20)
  expect(totals.rows).toBeGreaterThan(500)
})
