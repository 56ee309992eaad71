import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'

const chaos = fileURLToPath(new URL('../../scripts/chaos.ts', import.meta.url))
const example = (name: string) => fileURLToPath(new URL(`../../examples/${name}.ts`, import.meta.url))

// `npm run chaos -- --pipeline examples/byCustomer.ts --below examples/spentPerDay.ts` does this fifty times, with 300,000 orders.
const seed = process.env.CHAOS_SEED ?? '1'

it(`kill -9 of both halves of a hop loses no order, counts none twice and makes none late, seed ${seed}`, async () => {
  const { stdout, stderr } = await promisify(execFile)(process.execPath, [
    ...[chaos, '--pipeline', example('byCustomer'), '--below', example('spentPerDay')],
    ...['--kills', '4', '--values', '15000', '--seed', seed],
  ])
  const summary = JSON.parse(stdout.trimEnd().split('\n').at(-1) ?? '')
  expect(summary, stderr).toMatchObject({
    kills: 4,
    equal: true,
    differences: 0,
    sizes: { orders: 15_000, sent: 15_000 },
  })
  expect(summary.sizes.markers).toBeGreaterThan(20)
  expect(summary.sizes.late_above).toBeGreaterThan(100)
}, 180_000)
