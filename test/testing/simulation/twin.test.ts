import { describe, expect, it } from 'vitest'
import { twinScheduleOf } from '../../../scripts/simulation/twinSchedule.ts'
import { allSteps, describePlan, stepKinds } from '../../../src/testing/simulation/graphs/plan.ts'
import { twinDifferences } from '../../../src/testing/simulation/graphs/twin.ts'

// TWIN_SEED tries other graphs; `npm run simulate:twin` runs thousands.
const firstSeed = Number(process.env.TWIN_SEED ?? 1)
const graphs = 300
const seeds = Array.from({ length: graphs }, (_, i) => firstSeed + i)

describe('a graph outside of a task', () => {
  it(`gives what it gives in one, for ${graphs} random graphs from seed ${firstSeed}`, async () => {
    for (const seed of seeds) {
      const differences = await twinDifferences(twinScheduleOf(seed))
      expect(differences, `seed ${seed}: npm run simulate:twin -- --graphs 1 --seed ${seed}`).toEqual([])
    }
  })

  it('is drawn over every operator, and the same for the same seed', () => {
    const drawn = new Set(seeds.flatMap((seed) => allSteps(twinScheduleOf(seed).plan).map(({ kind }) => kind)))
    // Only a second edition takes operators away, and a table is an input of its own.
    expect([...drawn].sort()).toEqual(
      stepKinds.filter((kind) => !['retired', 'enrich', 'lookup'].includes(kind)).sort(),
    )
    expect(describePlan(twinScheduleOf(7).plan)).toBe(describePlan(twinScheduleOf(7).plan))
  })
})
