import { parseArgs } from 'node:util'
import { mergeDifference } from '../src/testing/simulation/merges/mergeDifference.ts'

const help = `Merges random inputs as they come, with crashes, and once more from the logs and the notes: the order has to be the same.

  npm run simulate:merge -- --schedules 100000 --seed 1
  npm run simulate:merge -- --schedules 1 --seed 4711     one schedule again, with both orders

  --schedules N   how many, each with a seed of its own   (10000)
  --seed S        the first seed                          (1)
`

const { values } = parseArgs({
  options: {
    schedules: { type: 'string', default: '10000' },
    seed: { type: 'string', default: '1' },
    help: { type: 'boolean', default: false },
  },
})

if (values.help) process.stdout.write(help)
else compare(count('schedules', values.schedules), count('seed', values.seed))

function compare(schedules: number, firstSeed: number): void {
  const startedAt = performance.now()
  const totals = { schedules, different: 0, notes: 0, crashes: 0, rank_not_enough: 0 }
  for (let seed = firstSeed; seed < firstSeed + schedules; seed++) {
    const { difference, notes, crashes, isRankNotEnough } = mergeDifference(seed)
    totals.notes += notes
    totals.crashes += crashes
    if (isRankNotEnough) totals.rank_not_enough += 1
    if (difference === null) continue
    totals.different += 1
    if (totals.different <= 5) process.stderr.write(`seed ${seed} differs:\n${difference}\n`)
  }
  const seconds = Math.round((performance.now() - startedAt) / 100) / 10
  process.stdout.write(`${JSON.stringify({ ...totals, seconds })}\n`)
  process.exitCode = totals.different > 0 ? 1 : 0
}

function count(name: string, text: string): number {
  const value = Number(text)
  if (Number.isSafeInteger(value) && value >= 0) return value
  process.stderr.write(`--${name} must be a whole number, got ${JSON.stringify(text)}\n`)
  process.exit(2)
}
