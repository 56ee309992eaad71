import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'

const chaos = fileURLToPath(new URL('../../scripts/chaos.ts', import.meta.url))
const sales = fileURLToPath(new URL('../../examples/sales.ts', import.meta.url))

// `npm run chaos -- --pipeline examples/sales.ts` does this fifty times; CHAOS_SEED tries other records and other moments.
const seed = process.env.CHAOS_SEED ?? '1'

it(`kill -9 of real processes changes no row, topic, archive or webhook of a pipeline of two inputs, seed ${seed}`, async () => {
  const { stdout, stderr } = await promisify(execFile)(process.execPath, [
    ...[chaos, '--pipeline', sales],
    ...['--kills', '4', '--seed', seed],
  ])
  const summary = JSON.parse(stdout.trimEnd().split('\n').at(-1) ?? '')
  expect(summary, stderr).toMatchObject({ kills: 4, equal: true, differences: 0 })
  expect(summary.sizes['dead letters']).toBeGreaterThan(5)
  expect(summary.sizes.review).toBeGreaterThan(20)
  expect(summary.sizes.requests).toBeGreaterThan(summary.sizes.review)
}, 120_000)
