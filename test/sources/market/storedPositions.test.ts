import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { LogWriter } from '../../../src/runtime/log/log.ts'
import { runIngest } from '../../../src/sources/ingest/runIngest.ts'
import { marketFeed } from '../../../src/sources/market/marketFeed.ts'
import { tapeFeed } from '../../../src/sources/tape.ts'

interface Append {
  readonly position: string
  /** Partition, timestamp, key and length of the value. */
  readonly records: readonly unknown[]
}

/** What an ingest of version 0.1.0 appended, 20 frames at a time, an unreadable one and absurd times among them. */
const golden: { readonly frames: readonly string[]; readonly appends: readonly Append[] } = JSON.parse(
  readFileSync(new URL('./storedPositions.golden.json', import.meta.url), 'utf8'),
)

let folder: string
let path: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'stored-positions-'))
  path = join(folder, 'tape.jsonl')
  writeFileSync(path, `${golden.frames.join('\n')}\n`)
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

async function appendsFrom(stored: string | null): Promise<Append[]> {
  const appends: Append[] = []
  const writer: LogWriter = {
    claim: async () => ({ position: stored }),
    append: async (records, position) => {
      const told = records.map(({ partition, timestamp, key, value }) => [
        partition,
        timestamp,
        key === null ? null : Buffer.from(key).toString(),
        value?.length,
      ])
      appends.push({ position, records: told })
    },
    close: async () => undefined,
  }
  const feed = marketFeed(tapeFeed({ path }))
  await runIngest({ feed, writer, producer: 'tape', partitions: 4, batch: { maxRecords: 20 } })
  return appends
}

describe('positions that version 0.1.0 has stored', () => {
  test('are stored today, byte for byte', async () => {
    expect(await appendsFrom(null)).toEqual(golden.appends)
  })

  test.each(golden.appends.map(({ position }, index) => [index, position] as const))(
    'number %i goes on with the records that followed it',
    async (index, position) => {
      expect(await appendsFrom(position)).toEqual(golden.appends.slice(index + 1))
    },
  )
})
