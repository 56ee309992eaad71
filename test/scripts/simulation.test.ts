import { describe, expect, it } from 'vitest'
import { graphScheduleOf } from '../../scripts/simulation/graphSchedule.ts'
import { codeOf, planted } from '../../scripts/simulation/plant.ts'
import { plantedBugs } from '../../scripts/simulation/plantedBugs.ts'
import { runSchedule } from '../../scripts/simulation/runSchedule.ts'
import { drawsGraph } from '../../scripts/simulation/runSeed.ts'
import { scheduleOf } from '../../scripts/simulation/schedule.ts'
import { runShare } from '../../scripts/simulation/thread.ts'
import { missingIn, noTotals, sumOf, totalsOf } from '../../scripts/simulation/totals.ts'
import { runGraph } from '../../src/testing/simulation/graphs/runGraph.ts'
import { runHopGraph } from '../../src/testing/simulation/hops/hopGraph.ts'
import { runHop } from '../../src/testing/simulation/hops/hopRun.ts'

// SIMULATION_SEED tries other schedules; `npm run simulate` runs thousands.
const firstSeed = Number(process.env.SIMULATION_SEED ?? 1)
const seeds = Array.from({ length: 60 }, (_, i) => firstSeed + i)

describe('simulation', { timeout: 180_000 }, () => {
  it(`leaves the same behind as an uninterrupted run, from seed ${firstSeed}`, async () => {
    for (let seed = firstSeed; seed < firstSeed + 40; seed++) {
      const { differences } = await runSchedule(scheduleOf(seed))
      expect(differences, `seed ${seed}: npm run simulate -- --schedules 1 --seed ${seed}`).toEqual([])
    }
  })

  it(`does so for random graphs of operators, from seed ${firstSeed}`, async () => {
    for (let seed = firstSeed; seed < firstSeed + 80; seed++) {
      const { differences } = await runGraph(graphScheduleOf(seed))
      expect(differences, `graph ${seed}`).toEqual([])
    }
  })

  it(`counts each value once below a hop, and calls none late that was not late above, from seed ${firstSeed}`, async () => {
    let late = 0
    let markers = 0
    for (let seed = firstSeed; seed < firstSeed + 25; seed++) {
      const report = await runHop(seed)
      expect(report.untruths, `npm run simulate:hops -- --schedules 1 --seed ${seed}`).toEqual([])
      late += report.late
      markers += report.markers
    }
    expect(late).toBeGreaterThan(50)
    expect(markers).toBeGreaterThan(500)
  })

  it(`has a random graph read what another one sends, from seed ${firstSeed}`, async () => {
    let values = 0
    let markers = 0
    for (let seed = firstSeed; seed < firstSeed + 15; seed++) {
      const report = await runHopGraph(seed)
      expect(report.untruths, `npm run simulate:hops -- --schedules 1 --seed ${seed}`).toEqual([])
      values += report.values
      markers += report.markers
    }
    expect(values).toBeGreaterThan(200)
    expect(markers).toBeGreaterThan(200)
  })

  it('draws the realtime pipeline for about half of the seeds, and a graph for the others', () => {
    const graphs = Array.from({ length: 400 }, (_, seed) => drawsGraph(seed)).filter((isGraph) => isGraph)
    expect(graphs.length).toBeGreaterThan(150)
    expect(graphs.length).toBeLessThan(250)
  })

  it('runs the same graph in the same way for the same seed', async () => {
    const seed = seeds.find((one) => graphScheduleOf(one).plan.idleAfterMs !== null) ?? 0
    const [first, second] = [await runGraph(graphScheduleOf(seed)), await runGraph(graphScheduleOf(seed))]
    expect(first.result?.outcome).toEqual(second.result?.outcome)
    expect(first.result?.starts).toBe(second.result?.starts)
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
    expect(missingIn(noTotals())).toEqual(expect.arrayContaining(['graphs: migrations', 'mapAsync']))
  })
})
