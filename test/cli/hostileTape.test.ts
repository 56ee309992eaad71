import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { afterAll, describe, expect, test } from 'vitest'
import { runCommand } from '../support/commandLine.ts'
import { emptyDatabases } from '../support/emptyDatabases.ts'
import { differencesFromKlines, hasTapes, tapeFile, tapes } from '../support/klines.ts'

const folder = mkdtempSync(join(tmpdir(), 'millrace-hostile-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))
const place = { cwd: folder, databases: await emptyDatabases() }
const [spot] = tapes
const dayMs = 86_400_000

interface Frame {
  readonly data: Readonly<Record<string, unknown>> & { readonly T: number; readonly t: number }
}

/** Each makes something of a sound frame that must not become part of a candle, and is set aside. */
const spoilers: readonly ((line: string, frame: Frame) => string)[] = [
  (_, { data }) => withData(data, { T: data.T + 7 * dayMs, E: data.T + 7 * dayMs, t: data.t + 1e9 }),
  (_, { data }) => withData(data, { T: data.T + 9 * 3_600_000, t: data.t + 1e9 }),
  (_, { data }) => withData(data, { T: 32_503_680_000_000 }),
  (_, { data }) => withData(data, { T: data.T * 1_000 }),
  (_, { data }) => withData(data, { T: -5 }),
  (_, { data }) => withData(data, { T: data.T - dayMs, t: data.t + 2e9 }),
  (_, { data }) => withData(data, { p: '1e999' }),
  (_, { data }) => withData(data, { p: '-1' }),
  (_, { data }) => withData(data, { q: 5 }),
  (_, { data }) => withData(data, { s: '' }),
  (line) => line.slice(0, 50),
  () => '\u0000\u0001\u00ff',
  () => '['.repeat(2_000),
  () => `{"a":"${'x'.repeat(1_000_000)}"}`,
]

function withData(data: Frame['data'], over: Readonly<Record<string, unknown>>): string {
  return JSON.stringify({ stream: 'btcusdt@trade', data: { ...data, ...over } })
}

describe.skipIf(!hasTapes)('a tape with absurd frames all over it', { timeout: 60_000 }, () => {
  test('makes the same candles as the exchange, and a dead letter of each', async () => {
    const lines = gunzipSync(readFileSync(tapeFile(spot.folder)))
      .toString()
      .trim()
      .split('\n')
    const hostile: string[] = []
    let spoiled = 0
    for (const [index, line] of lines.entries()) {
      const isEdge = index === 0 || index === lines.length - 1
      if (!isEdge && index % 700 !== 7) hostile.push(line)
      else {
        // The first frame of all and the last one leap ahead as well.
        const spoil = isEdge ? spoilers[0] : spoilers[spoiled % spoilers.length]
        const bad = spoil?.(line, JSON.parse(line) as Frame) ?? ''
        spoiled += 1
        hostile.push(...(index === 0 ? [bad, line] : [line, bad]))
      }
    }
    const tape = join(folder, 'hostile.jsonl')
    writeFileSync(tape, `${hostile.join('\n')}\n`)
    const run = await runCommand(['run', 'realtime', '--tape', tape, '--until-end', '--close-open'], place)
    expect(run, run.stderr).toMatchObject({ code: 0 })
    expect(await differencesFromKlines(place, spot)).toEqual({ compared: spot.minutes, differences: [] })
    expect(run.stdout).toContain(`records, ${spoiled} dead letters.`)
  })
})
