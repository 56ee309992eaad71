import { parseArgs } from 'node:util'
import { runOwners } from '../src/testing/simulation/owners/ownersRun.ts'

const help = `Runs records whose keys meet in several partitions with faults, crashes and takeovers: no row holds what came by two partitions, and each record
is in the row of its key or in a letter.

  npm run simulate:owners -- --schedules 10000 --seed 1
  npm run simulate:owners -- --schedules 1 --seed 4711     one schedule again, with all that is not true

  --schedules N   how many, each with a seed of its own   (1000)
  --seed S        the first seed                          (1)
`

const { values } = parseArgs({
  options: {
    schedules: { type: 'string', default: '1000' },
    seed: { type: 'string', default: '1' },
    help: { type: 'boolean', default: false },
  },
})

if (values.help) process.stdout.write(help)
else await simulate(count('schedules', values.schedules), count('seed', values.seed))

async function simulate(schedules: number, firstSeed: number): Promise<void> {
  const startedAt = performance.now()
  const totals = { schedules, untrue: 0, rows: 0, letters: 0, held: 0 }
  for (let seed = firstSeed; seed < firstSeed + schedules; seed++) {
    const { plan, untruths, rows, letters, held } = await runOwners(seed)
    totals.rows += rows
    totals.letters += letters
    totals.held += held
    if (untruths.length === 0) continue
    totals.untrue += 1
    const shown = schedules === 1 ? untruths : untruths.slice(0, 5)
    if (totals.untrue <= 5) process.stderr.write(`seed ${seed}, ${JSON.stringify(plan)}:\n${shown.join('\n')}\n`)
  }
  const seconds = Math.round((performance.now() - startedAt) / 100) / 10
  process.stdout.write(`${JSON.stringify({ ...totals, seconds })}\n`)
  process.exitCode = totals.untrue > 0 || totals.letters === 0 || totals.held === 0 ? 1 : 0
}

function count(name: string, text: string): number {
  const value = Number(text)
  if (Number.isSafeInteger(value) && value >= 0) return value
  process.stderr.write(`--${name} must be a whole number, got ${JSON.stringify(text)}\n`)
  process.exit(2)
}
