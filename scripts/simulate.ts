import { availableParallelism } from 'node:os'
import { parseArgs } from 'node:util'
import { Worker } from 'node:worker_threads'
import { type LawMessage, noLaws, runLaws, sumOfLaws } from './simulation/laws/thread.ts'
import { runShare, type Share, type ThreadMessage } from './simulation/thread.ts'
import { missingIn, noTotals, sumOf } from './simulation/totals.ts'

const help = `Runs the realtime pipeline, or a random graph of operators, through seeded schedules of faults and compares each with an
uninterrupted run, or with a replay where time moved by itself, and with what a plain function makes of the same records.

  npm run simulate -- --schedules 20000 --seed 1
  npm run simulate -- --schedules 1 --seed 4711     one schedule again, with all that differs
  npm run simulate -- --laws --schedules 100000     single operators over random values, against their definitions

  --schedules N   how many, each with a seed of its own   (1000)
  --seed S        the first seed                          (1)
  --laws          windows, joins and the others one by one: results, late values, what is kept, in tasks that
                  are cut and crashed, in plain RxJS, and in another order
  --jobs N        threads                                 (one a processor, at most 4)
`

const { values } = parseArgs({
  options: {
    schedules: { type: 'string', default: '1000' },
    seed: { type: 'string', default: '1' },
    jobs: { type: 'string', default: String(Math.min(4, availableParallelism())) },
    laws: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
})

/** Below this, chance may leave out a kind of fault. */
const largeRun = 500
const shownBadSeeds = 5
const shownLines = 12

if (values.help) process.stdout.write(help)
else if (values.laws)
  await hold(count('schedules', values.schedules), count('seed', values.seed), count('jobs', values.jobs))
else await simulate(count('schedules', values.schedules), count('seed', values.seed), count('jobs', values.jobs))

async function simulate(schedules: number, seed: number, jobs: number): Promise<void> {
  const startedAt = performance.now()
  let totals = noTotals()
  let shown = 0
  let saidAt = startedAt

  const hear = (message: ThreadMessage) => {
    if (message.type === 'bad') {
      if (shown++ < shownBadSeeds) showBad(message.seed, message.differences, schedules === 1)
      return
    }
    totals = sumOf(totals, message.totals)
    if (performance.now() - saidAt < 5_000) return
    saidAt = performance.now()
    const perSecond = totals.schedules / ((saidAt - startedAt) / 1000)
    const left = Math.round((schedules - totals.schedules) / perSecond)
    say(
      `${totals.schedules}/${schedules} schedules, ${totals.crashes} crashes, ${totals.different} different, ${left} s left`,
    )
  }

  const shares = sharesOf(schedules, seed, jobs)
  const thread = new URL('./simulation/thread.ts', import.meta.url)
  await Promise.all(
    shares.map((share) => (shares.length === 1 ? runShare(share, hear) : runInThread(thread, share, hear))),
  )

  const missing = schedules >= largeRun ? missingIn(totals) : []
  if (missing.length > 0) say(`these never happened, so nothing is shown about them: ${missing.join(', ')}`)
  const { crashes, late, different, firstBadSeed, takeovers, restarts, zombiesFenced, deadLetters, objects, records } =
    totals
  const seconds = Math.round((performance.now() - startedAt) / 100) / 10
  const summary = {
    ...{ schedules: totals.schedules, crashes, late, different, first_bad_seed: firstBadSeed },
    ...{ takeovers, restarts, zombies_fenced: zombiesFenced, dead_letters: deadLetters, objects, records },
    ...{ faults: totals.faults, input: totals.input, graphs: totals.graphs, never_happened: missing, seconds },
  }
  process.stdout.write(`${JSON.stringify(summary)}\n`)
  process.exitCode = different > 0 || missing.length > 0 || totals.schedules !== schedules ? 1 : 0
}

/** Holds operators against their definitions. */
async function hold(laws: number, seed: number, jobs: number): Promise<void> {
  const startedAt = performance.now()
  let totals = noLaws
  let shown = 0
  let saidAt = startedAt
  const hear = (message: LawMessage) => {
    if (message.type === 'bad') {
      if (shown++ < shownBadSeeds) showBad(message.seed, message.differences, laws === 1, '--laws ')
      return
    }
    totals = sumOfLaws(totals, message.totals)
    if (performance.now() - saidAt < 5_000) return
    saidAt = performance.now()
    const left = Math.round(((saidAt - startedAt) / totals.laws / 1_000) * (laws - totals.laws))
    say(`${totals.laws}/${laws} laws, ${totals.different} different, ${left} s left`)
  }
  const shares = sharesOf(laws, seed, jobs)
  const thread = new URL('./simulation/laws/thread.ts', import.meta.url)
  if (shares.length === 1) runLaws(shares[0] as Share, hear)
  else await Promise.all(shares.map((share) => runInThread(thread, share, hear)))
  const { different, firstBadSeed, events, late, crashes, operators } = totals
  const seconds = Math.round((performance.now() - startedAt) / 100) / 10
  const summary = {
    laws: totals.laws,
    different,
    first_bad_seed: firstBadSeed,
    events,
    late,
    crashes,
    operators,
    seconds,
  }
  process.stdout.write(`${JSON.stringify(summary)}\n`)
  process.exitCode = different > 0 || totals.laws !== laws ? 1 : 0
}

function sharesOf(schedules: number, seed: number, jobs: number): readonly Share[] {
  const threads = Math.max(1, Math.min(jobs, Math.ceil(schedules / 20)))
  return Array.from({ length: threads }, (_, i) => ({ firstSeed: seed + i, endSeed: seed + schedules, step: threads }))
}

function runInThread<M>(code: URL, share: Share, hear: (message: M) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    const thread = new Worker(code, { workerData: share })
    thread.on('message', hear)
    thread.on('error', reject)
    thread.on('exit', (code) => (code === 0 ? resolve() : reject(new Error(`a thread ended with code ${code}`))))
  })
}

function showBad(seed: number, differences: readonly string[], isAll: boolean, kind = ''): void {
  const lines = isAll ? differences : differences.slice(0, shownLines)
  say(`seed ${seed} differs ("-" only uninterrupted or replayed, "+" only with faults, "!" an error):`)
  for (const line of lines) say(`  ${isAll ? line : line.slice(0, 400)}`)
  if (lines.length < differences.length) say(`  and ${differences.length - lines.length} more`)
  if (!isAll) say(`  again: npm run simulate -- ${kind}--schedules 1 --seed ${seed}`)
}

function count(name: string, text: string): number {
  const value = Number(text)
  if (Number.isSafeInteger(value) && value >= 0) return value
  say(`--${name} must be a whole number, got ${JSON.stringify(text)}`)
  process.exit(2)
}

function say(line: string): void {
  process.stderr.write(`${line}\n`)
}
