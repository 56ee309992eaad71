import { parseArgs } from 'node:util'
import { twinDifferences } from '../src/testing/simulation/graphs/twin.ts'
import { twinScheduleOf } from './simulation/twinSchedule.ts'

const help = `Runs random graphs of operators as plain RxJS programs and in stream tasks, and compares everything that comes out.

  npm run simulate:twin -- --graphs 10000 --seed 1
  npm run simulate:twin -- --graphs 1 --seed 4711     one graph again, with all that differs

  --graphs N   how many, each with a seed of its own   (1000)
  --seed S     the first seed                          (1)
`

const { values } = parseArgs({
  options: {
    graphs: { type: 'string', default: '1000' },
    seed: { type: 'string', default: '1' },
    help: { type: 'boolean', default: false },
  },
})

const shownBadSeeds = 5
const shownCharacters = 400

if (values.help) process.stdout.write(help)
else await compare(count('graphs', values.graphs), count('seed', values.seed))

async function compare(graphs: number, firstSeed: number): Promise<void> {
  const startedAt = performance.now()
  const bad: number[] = []
  for (let seed = firstSeed; seed < firstSeed + graphs; seed++) {
    const differences = await twinDifferences(twinScheduleOf(seed)).catch((error: unknown) => [`! ${String(error)}`])
    if (differences.length > 0 && bad.push(seed) <= shownBadSeeds) show(seed, differences, graphs === 1)
  }
  const seconds = Math.round((performance.now() - startedAt) / 100) / 10
  const summary = { graphs, different: bad.length, first_bad_seed: bad[0] ?? null, seconds }
  process.stdout.write(`${JSON.stringify(summary)}\n`)
  process.exitCode = bad.length > 0 ? 1 : 0
}

function show(seed: number, differences: readonly string[], isAll: boolean): void {
  process.stderr.write(`seed ${seed} differs ("-" in the plain program, "+" in the task, "!" an error):\n`)
  for (const line of differences) process.stderr.write(`  ${isAll ? line : line.slice(0, shownCharacters)}\n`)
}

function count(name: string, text: string): number {
  const value = Number(text)
  if (Number.isSafeInteger(value) && value >= 0) return value
  process.stderr.write(`--${name} must be a whole number, got ${JSON.stringify(text)}\n`)
  process.exit(2)
}
