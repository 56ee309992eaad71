import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'
import { missingForBroker } from '../support/kafkaJars.ts'

const chaos = fileURLToPath(new URL('../../scripts/chaos.ts', import.meta.url))

// `npm run chaos -- --kafka` does this a hundred times; CHAOS_SEED tries other moments.
const seed = process.env.CHAOS_SEED ?? '1'
// A broker that came with KAFKA_BROKERS is not ours to kill.
const missing = await missingForBroker()
const title = `workers, broker and PostgreSQL that are killed change no table, no state and no object, seed ${seed}`

it.skipIf(missing !== null)(
  missing === null ? title : `${title} (needs a broker of its own: ${missing})`,
  async () => {
    const { stdout, stderr } = await promisify(execFile)(process.execPath, [
      chaos,
      '--kafka',
      '--kills',
      '6',
      '--seed',
      seed,
    ])
    const summary = JSON.parse(stdout.trimEnd().split('\n').at(-1) ?? '')
    expect(summary, stderr).toMatchObject({ kills: 6, equal: true, differences: 0 })
    expect(summary.sizes['dead letters']).toBeGreaterThan(20)
  },
  240_000,
)
