import { availableParallelism, cpus } from 'node:os'
import { parseArgs } from 'node:util'
import { collectGarbage } from '../src/runtime/collectGarbage.ts'
import { type OperatorChain, operatorChains } from './operators/chains.ts'
import { OperatorTask } from './operators/operatorTask.ts'

const help = `npm run bench:operators -- [--json] [--only NAME]

Runs each operator by itself over values of 1, 1,000 and 100,000 keys, each of which comes once a second of event time, and says what a value costs (ns of processor time, with
eventTime and the row that comes of it; the line eventTime is that alone) and how many bytes of checkpoint it makes where each key has one value between two checkpoints. About three minutes
on an idle machine.
Figures of different machines, or of a busy one, do not compare: look at ratios within one run.

  --json       only the result, one line of JSON on stdout
  --only NAME  operators whose name begins so

  npm run bench:operators -- --json | tail -1 | jq '.operators[] | select(.keys == 1000)'`

const { values: options } = parseArgs({
  options: { json: { type: 'boolean' }, only: { type: 'string', default: '' }, help: { type: 'boolean' } },
})

interface Measured {
  readonly operator: string
  readonly keys: number
  readonly ns_a_value: number
  readonly checkpoint_bytes_a_change: number
}

/** Values a run: enough for some seconds of event time. */
const valuesOf = (keys: number) => Math.max(100_000, keys * 8)
/** A checkpoint comes after so many values, as it would in a worker. */
const cutEvery = 50_000

async function measure(operator: string, chain: OperatorChain, keys: number): Promise<Measured> {
  const names = Array.from({ length: keys }, (_, i) => `key-${i}`)
  const task = new OperatorTask(chain)
  const eventOf = (i: number) => {
    const n = Math.floor(i / keys)
    const place = i - n * keys
    return { key: names[place] as string, at: 1_723_000_000_000 + n * 1_000 + Math.floor((place * 1_000) / keys), n }
  }
  let next = 0
  const push = async (count: number) => {
    for (const end = next + count; next < end; next += 1) {
      const waiting = task.push(eventOf(next))
      if (waiting !== undefined) await waiting
    }
  }
  const total = valuesOf(keys)
  await push(total / 4)
  await task.cut()
  collectGarbage()
  const before = process.cpuUsage()
  for (let left = total / 2; left > 0; left -= cutEvery) {
    await push(Math.min(left, cutEvery))
    await task.cut()
  }
  const { user, system } = process.cpuUsage(before)
  let bytes = 0
  let changes = 0
  // Whole rounds, so that each key comes as often; a base says nothing of what has changed.
  for (let round = 0; round < (keys === 1 ? 1_000 : 3); round += 1) {
    await push(keys)
    const { state } = await task.cut()
    if (state.kind === 'base') continue
    bytes += Buffer.byteLength(state.body)
    changes += keys
  }
  return {
    operator,
    keys,
    ns_a_value: Math.round(((user + system) * 1_000) / (total / 2)),
    checkpoint_bytes_a_change: changes === 0 ? 0 : Math.round(bytes / changes),
  }
}

if (options.help === true) console.log(help)
else {
  const operators: Measured[] = []
  for (const [operator, chain] of Object.entries(operatorChains)) {
    if (!operator.startsWith(options.only)) continue
    for (const keys of [1, 1_000, 100_000]) {
      const measured = await measure(operator, chain, keys)
      operators.push(measured)
      if (options.json !== true) {
        const { ns_a_value: ns, checkpoint_bytes_a_change: bytes } = measured
        console.error(
          `${operator.padEnd(20)} ${String(keys).padStart(7)} keys ${String(ns).padStart(7)} ns a value ${String(bytes).padStart(5)} bytes a change`,
        )
      }
    }
  }
  const machine = `${availableParallelism()} × ${cpus()[0]?.model.trim() ?? 'unknown'}, node ${process.version}`
  console.log(JSON.stringify({ machine, operators }))
}
