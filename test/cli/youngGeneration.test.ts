import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'

const youngGeneration = new URL('../../src/cli/youngGeneration.ts', import.meta.url).href

/** Makes a good deal that lives for a moment, as a run does, with a breath now and then; tells how large the young generation is at the end. */
const program = (isKept: boolean) => `
  import { getHeapSpaceStatistics } from 'node:v8'
  import { setImmediate as breathe } from 'node:timers/promises'
  const { keepYoungGenerationSmall } = await import(${JSON.stringify(youngGeneration)})
  if (${isKept}) keepYoungGenerationSmall()
  const young = () => getHeapSpaceStatistics().find((space) => space.space_name === 'new_space').space_size
  const kept = []
  const ends = performance.now() + 2500
  for (let i = 0; performance.now() < ends; i++) {
    for (let j = 0; j < 2000; j++) kept[(i * 2000 + j) % 300000] = { a: j, b: [i, j], c: String(i) + j }
    await breathe()
  }
  console.log(young())
`

async function youngMb(isKept: boolean): Promise<number> {
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '--eval', program(isKept)])
  return Number(stdout) / 1024 / 1024
}

test('the young generation stays small where it would grow', { timeout: 30_000 }, async () => {
  // One after the other: a process that hardly gets a turn looks late.
  const kept = await youngMb(true)
  const free = await youngMb(false)
  expect(free).toBeGreaterThan(24)
  expect(kept).toBeLessThanOrEqual(28)
})
