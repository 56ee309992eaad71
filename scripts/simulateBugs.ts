import { type PlantedBug, plantedBugs } from './simulation/plantedBugs.ts'
import { runSchedule } from './simulation/runSchedule.ts'
import { type Schedule, scheduleOf } from './simulation/schedule.ts'

/** A planted bug that this many schedules do not notice counts as missed. */
const patience = 50

interface Finding {
  readonly bug: string
  readonly seed: number | null
  readonly schedules: number
  readonly difference: string
}

/** The first schedule whose tables, letters or truth show the bug. The saved state is not looked at: there the bug is plain to see. */
async function hunt(bug: PlantedBug | null): Promise<Finding> {
  for (let seed = 1; seed <= patience; seed++) {
    const schedule: Schedule = bug === null ? scheduleOf(seed) : bug.plant(scheduleOf(seed))
    const { differences } = await runSchedule(schedule)
    const shown = differences.filter((line) => bug === null || !/^. +state:/.test(line))[0]
    if (shown !== undefined) return { bug: bug?.name ?? '(none)', seed, schedules: seed, difference: shown }
  }
  return { bug: bug?.name ?? '(none)', seed: null, schedules: patience, difference: '' }
}

const control = await hunt(null)
const findings: Finding[] = []
for (const bug of plantedBugs) findings.push(await hunt(bug))

for (const { bug, seed, schedules, difference } of [control, ...findings]) {
  const verdict =
    seed === null ? `green in ${schedules} schedules` : `red at schedule ${seed}: ${difference.slice(0, 150)}`
  process.stdout.write(`${bug.padEnd(55)} ${verdict}\n`)
}
const caught = findings.filter(({ seed }) => seed !== null).length
const isProven = control.seed === null && caught === plantedBugs.length
const summary = { bugs: plantedBugs.length, caught, without_bug: control.seed === null ? 'green' : 'red' }
process.stdout.write(`${JSON.stringify({ ...summary, seeds: findings.map(({ seed }) => seed) })}\n`)
process.exitCode = isProven ? 0 : 1
