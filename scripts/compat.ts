import { parseArgs } from 'node:util'
import { type CompatCase, nameOf, Skipped, type Verdict } from './compat/compatCase.ts'
import { kafkaCases } from './compat/kafkaCases.ts'
import { Stage } from './compat/stage.ts'
import { postgresCases, s3Cases } from './compat/storeCases.ts'

const help = `Runs a pipeline on brokers, databases, poolers, object stores and foreign clients of several versions, kills it in the middle, and compares
what is left with what was written. One line a case: right, wrong, or skipped with the reason. Ends with 1 where one is wrong.

  npm run compat                                all cases; what is missing and can be installed is installed into .cache/
  npm run compat -- --only 'kafka 3.5'          those whose line holds the text
  npm run compat -- --only aiokafka --json
  npm run compat -- --short                     a minute and a half at most, with what is there already: CI's form

  --json       a line of JSON a case: part, version, client, case, verdict, why, seconds; then one with the sums
  --only TEXT  only cases whose part, version, client and name hold the text
  --short      few cases, nothing is installed; what does not fit in the time is skipped
  --list       the cases, and run none
`

/** Of the short form: a case that would begin later is skipped, so that the last one ends in time. */
const shortMs = 60_000

const { values } = parseArgs({
  options: {
    json: { type: 'boolean', default: false },
    only: { type: 'string', default: '' },
    short: { type: 'boolean', default: false },
    list: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
})

const cases = [...kafkaCases(), ...postgresCases(), ...s3Cases()].filter(
  (one) => nameOf(one).includes(values.only) && (one.isShort || !values.short),
)

if (values.help) process.stdout.write(help)
else if (values.list) for (const one of cases) say(nameOf(one))
else if (cases.length === 0) {
  process.stderr.write(`No case holds ${JSON.stringify(values.only)}; --list shows them all.\n`)
  process.exitCode = 2
} else await tryAll(cases)

async function tryAll(all: readonly CompatCase[]): Promise<void> {
  const startedAt = performance.now()
  const stage = new Stage({ mayInstall: !values.short })
  const stopping = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.once(signal, () => {
      stopping.abort()
      process.exitCode = 130
      void stage.close().then(() => process.exit())
    })
  }
  const verdicts: Verdict[] = []
  for (const one of all) {
    if (stopping.signal.aborted) return
    const isLate = values.short && performance.now() - startedAt > shortMs
    const verdict = isLate ? skipped(one, 'there was no time left for it') : await tryOne(one, stage)
    if (stopping.signal.aborted) return
    verdicts.push(verdict)
    show(verdict)
  }
  await stage.close()
  const count = (wanted: Verdict['verdict']) => verdicts.filter(({ verdict }) => verdict === wanted).length
  const sums = { right: count('right'), wrong: count('wrong'), skipped: count('skipped') }
  const seconds = Math.round((performance.now() - startedAt) / 1_000)
  if (values.json) say(JSON.stringify({ ...sums, seconds }))
  else say(`${sums.right} right, ${sums.wrong} wrong, ${sums.skipped} skipped, ${seconds} s`)
  process.exitCode = sums.wrong === 0 ? 0 : 1
}

async function tryOne(one: CompatCase, stage: Stage): Promise<Verdict> {
  const startedAt = performance.now()
  const seconds = () => Math.round((performance.now() - startedAt) / 100) / 10
  try {
    await one.run(stage)
    return { ...placeOf(one), verdict: 'right', why: null, seconds: seconds() }
  } catch (error) {
    if (error instanceof Skipped) return skipped(one, error.message)
    return { ...placeOf(one), verdict: 'wrong', why: (error as Error).message, seconds: seconds() }
  }
}

function skipped(one: CompatCase, why: string): Verdict {
  return { ...placeOf(one), verdict: 'skipped', why, seconds: 0 }
}

function placeOf({ part, version, client, name }: CompatCase) {
  return { part, version, client, case: name }
}

function show(verdict: Verdict): void {
  const { part, version, client, case: name, why } = verdict
  if (values.json) say(JSON.stringify(verdict))
  else say(`${verdict.verdict.padEnd(7)}  ${part} ${version} ${client}  ${name}${why === null ? '' : `: ${why}`}`)
}

function say(line: string): void {
  process.stdout.write(`${line}\n`)
}
