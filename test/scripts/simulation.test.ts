import { describe, expect, it } from 'vitest'
import { codeOf, planted } from '../../scripts/simulation/plant.ts'
import { plantedBugs } from '../../scripts/simulation/plantedBugs.ts'
import { runSchedule } from '../../scripts/simulation/runSchedule.ts'
import { scheduleOf } from '../../scripts/simulation/schedule.ts'
import { runShare } from '../../scripts/simulation/thread.ts'
import { missingIn, noTotals, sumOf, totalsOf } from '../../scripts/simulation/totals.ts'

// SIMULATION_SEED tries other schedules; `npm run simulate` runs thousands.
const firstSeed = Number(process.env.SIMULATION_SEED ?? 1)

describe('simulation', () => {
  it(`leaves the same behind as an uninterrupted run, from seed ${firstSeed}`, async () => {
    for (let seed = firstSeed; seed < firstSeed + 60; seed++) {
      const { differences } = await runSchedule(scheduleOf(seed))
      expect(differences, `seed ${seed}: npm run simulate -- --schedules 1 --seed ${seed}`).toEqual([])
    }
  })

  it('runs the same way for the same seed', async () => {
    const [first, second] = [await runSchedule(scheduleOf(9)), await runSchedule(scheduleOf(9))]
    expect(first).toEqual(second)
    expect(first.crashes).toBeGreaterThan(0)
  })

  it.each(plantedBugs)('can be tried with a bug: $name', (bug) => {
    expect(planted(bug, codeOf(bug))).not.toBe(codeOf(bug))
  })

  it('reports a run that cannot end as a bad one', async () => {
    const broken = scheduleOf(1)
    const failing = { ...broken, options: { ...broken.options, topic: 'not/a topic' } }
    await expect(runSchedule(failing)).rejects.toThrow(/cannot name objects/)
  })

  it('adds up what its threads tell', async () => {
    let totals = noTotals()
    for (const share of [0, 1].map((i) => ({ firstSeed: 1 + i, endSeed: 7, step: 2 }))) {
      await runShare(share, (message) => {
        if (message.type === 'totals') totals = sumOf(totals, message.totals)
      })
    }
    expect(totals).toMatchObject({ schedules: 6, different: 0, firstBadSeed: null })
    expect(totals.crashes).toBeGreaterThan(0)
  })

  it('keeps the smallest bad seed and names what never happened', async () => {
    const { counts } = scheduleOf(3).input
    const report = { ...(await runSchedule(scheduleOf(3))), differences: ['- table: gone'] }
    const sum = sumOf(totalsOf({ ...report, seed: 30 }, 1, counts), totalsOf({ ...report, seed: 3 }, 1, counts))
    expect(sum).toMatchObject({ schedules: 2, different: 2, firstBadSeed: 3 })
    expect(missingIn(noTotals())).toContain('zombie-commit')
    expect(missingIn(noTotals())).toContain('late')
  })
})
