import { parseArgs } from 'node:util'
import { runHopGraph } from '../src/testing/simulation/hops/hopGraph.ts'
import { runHop } from '../src/testing/simulation/hops/hopRun.ts'

const help = `Runs pipelines that write one topic, and one that reads it, with faults, crashes and takeovers of each: every value is counted once below, none is late there that was not
late above, and time below is the least of what the tasks above have come to. Each seed also draws a graph that sends into a topic and one that reads it: both do what a model says.

  npm run simulate:hops -- --schedules 10000 --seed 1
  npm run simulate:hops -- --schedules 1 --seed 4711     one schedule again, with all that is not true

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
  const totals = {
    ...{ schedules, untrue: 0, values: 0, late: 0, markers: 0, rows: 0, idle_steps: 0, crashes: 0 },
    ...{ graph_values: 0, graph_markers: 0, graph_letters: 0, graph_crashes: 0 },
  }
  for (let seed = firstSeed; seed < firstSeed + schedules; seed++) {
    const { plan, untruths, values, late, markers, rows, idleSteps, crashes } = await runHop(seed)
    totals.values += values
    totals.late += late
    totals.markers += markers
    totals.rows += rows
    totals.idle_steps += idleSteps
    totals.crashes += crashes
    const graph = await runHopGraph(seed)
    totals.graph_values += graph.values
    totals.graph_markers += graph.markers
    totals.graph_letters += graph.letters
    totals.graph_crashes += graph.crashes
    if (untruths.length + graph.untruths.length === 0) continue
    totals.untrue += 1
    if (totals.untrue > 5) continue
    const shownOf = (lines: readonly string[]) => (schedules === 1 ? lines : lines.slice(0, 5))
    const ofGraph = graph.untruths.length === 0 ? [] : ['graphs:', ...shownOf(graph.untruths)]
    const lines = [...shownOf(untruths), ...ofGraph]
    process.stderr.write(`seed ${seed}, ${JSON.stringify(plan)}:\n${lines.join('\n')}\n`)
  }
  const seconds = Math.round((performance.now() - startedAt) / 100) / 10
  process.stdout.write(`${JSON.stringify({ ...totals, seconds })}\n`)
  process.exitCode = totals.untrue > 0 || Object.values(totals).filter((count) => count === 0).length > 1 ? 1 : 0
}

function count(name: string, text: string): number {
  const value = Number(text)
  if (Number.isSafeInteger(value) && value >= 0) return value
  process.stderr.write(`--${name} must be a whole number, got ${JSON.stringify(text)}\n`)
  process.exit(2)
}
