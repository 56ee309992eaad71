import { parseArgs } from 'node:util'
import { exitOnSignal } from '../src/cli/exitOnSignal.ts'
import { benchCheckpoint, benchCuts } from './checkpoint.ts'
import { benchDecode } from './decode.ts'
import { benchEndToEnd } from './endToEnd.ts'
import { benchFirstCandle } from './firstCandle.ts'
import { benchMemory } from './memory.ts'

// PostgreSQL is ended when this process exits, and a signal alone would not have it exit so.
exitOnSignal()

const help = `npm run bench -- [--json]

Measures decoding, the operator chain in memory, checkpoints, the embedded log to committed rows, and the start of the main job. About two minutes.
Figures of different machines, or of a busy one, do not compare: look at ratios within one run.

  --json   only the result, one line of JSON on stdout

  npm run bench
  npm run bench -- --json | tail -1 | jq .memory_records_per_s`

const { values } = parseArgs({ options: { json: { type: 'boolean' }, help: { type: 'boolean' } } })

if (values.help === true) console.log(help)
else {
  const say = (line: string) => {
    if (values.json !== true) console.error(line)
  }
  say('decode …')
  const decode = benchDecode()
  say('operators in memory …')
  const memory = benchMemory()
  const oneByOne = benchMemory([3], 1_000_000, 1)
  for (const [symbols, run] of Object.entries(memory))
    say(`  ${symbols} symbols, ns a record in each tenth of the run: ${run.tenths.join(' ')}`)
  say('checkpoints …')
  const checkpointBytes = benchCheckpoint()
  const cutMs = benchCuts()
  say('embedded log to PostgreSQL …')
  const endToEnd = await benchEndToEnd(1_000_000, false)
  const archived = await benchEndToEnd(1_000_000, true)
  say('first candle …')
  const firstCandle = await benchFirstCandle()
  console.log(
    JSON.stringify({
      ...decode,
      memory_records_per_s: Object.fromEntries(
        Object.entries(memory).map(([symbols, run]) => [symbols, run.recordsPerSecond]),
      ),
      memory_one_by_one_records_per_s: oneByOne[3]?.recordsPerSecond,
      memory_ns_first_and_last_tenth: [memory[3]?.tenths.at(0), memory[3]?.tenths.at(-1)],
      end_to_end_records_per_s: endToEnd.recordsPerSecond,
      end_to_end_with_archive_records_per_s: archived.recordsPerSecond,
      checkpoint_bytes: checkpointBytes,
      checkpoint_cut_ms: cutMs,
      peak_rss_mb: Math.max(endToEnd.peakRssMb, archived.peakRssMb),
      first_candle_s: firstCandle.cold,
      first_candle_warm_s: firstCandle.warm,
    }),
  )
}
