import { appendFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ConfigurationError } from '../../../src/runtime/errors.ts'
import type { Feed } from '../../../src/runtime/log/feed.ts'
import type { LogWriter } from '../../../src/runtime/log/log.ts'
import { type IngestOptions, runIngest } from '../../../src/sources/ingest/runIngest.ts'
import type { JsonLinesOptions } from '../../../src/sources/jsonLines/jsonLines.ts'
import { jsonLinesFile } from '../../../src/sources/jsonLines/jsonLinesFile.ts'
import { jsonLinesInput } from '../../../src/sources/jsonLines/jsonLinesInput.ts'
import { MemoryLog } from '../../../src/testing/memoryLog.ts'
import { logContents } from '../ingest/logContents.ts'

const partitions = 3
const start = Date.UTC(2024, 7, 9)
const fields = { key: 'sensor', time: 'at' }
let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'json-lines-'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

let files = 0
function fileOf(content: string | Buffer): string {
  const path = join(folder, `lines-${files++}.jsonl`)
  writeFileSync(path, content)
  return path
}

function line(index: number): string {
  return `{"sensor":"s${index % 5}","at":${start + index},"n":${index}}`
}

function linesOf(count: number, from = 0): string {
  return Array.from({ length: count }, (_, index) => `${line(from + index)}\n`).join('')
}

function ingest(log: MemoryLog, feed: Feed, options: Partial<IngestOptions> = {}) {
  return runIngest({ feed, writer: log.writer(), producer: 'lines', partitions, ...options })
}

async function ingested(path: string, options: JsonLinesOptions = fields) {
  const log = new MemoryLog({ partitions })
  await ingest(log, jsonLinesFile(path, options))
  return logContents(log)
}

function numbers(records: readonly { readonly value: string | null }[]): number[] {
  return records.map(({ value }) => JSON.parse(value ?? '').n as number).sort((a, b) => a - b)
}

/** All at once, or in parts that end anywhere. */
function inputOf(content: string | Buffer, partBytes = Number.POSITIVE_INFINITY): Readable {
  const bytes = Buffer.from(content as string)
  const parts: Buffer[] = []
  for (let at = 0; at < bytes.length; at += partBytes) parts.push(bytes.subarray(at, at + partBytes))
  return Readable.from(parts)
}

class Crash extends Error {}

function crashing(inner: LogWriter, crashAt: number, isStored: boolean): LogWriter {
  let appends = 0
  return {
    ...inner,
    append: async (records, position) => {
      const isCrash = appends++ === crashAt
      if (!isCrash || isStored) await inner.append(records, position)
      if (isCrash) throw new Crash()
    },
  }
}

const ignoreCrash = (error: unknown) => {
  if (!(error instanceof Crash)) throw error
}

describe('a file of JSON lines', () => {
  test('goes into the topic line by line, as it stands, with its key and time', async () => {
    const records = await ingested(fileOf(`${line(0)}\r\n\n  \n{ "sensor" : "s1", "at": "2024-08-09T00:00:00.0015Z" }`))
    expect(records.map(({ key, value, timestamp }) => [key, value, timestamp]).sort()).toEqual([
      ['s0', line(0), start],
      ['s1', '{ "sensor" : "s1", "at": "2024-08-09T00:00:00.0015Z" }', start + 1],
    ])
  })

  test('without --key all lines go to partition 0 in their order, without --time they carry no time', async () => {
    const records = await ingested(fileOf(`${linesOf(3)}[1]\n`), {})
    expect(records).toMatchObject(
      [line(0), line(1), line(2), '[1]'].map((value) => ({ partition: 0, key: null, timestamp: -1, value })),
    )
  })

  test('a field is a dotted path; numbers and booleans are keys as text', async () => {
    const path = fileOf('{"a":{"b":7}}\n{"a":{"b":true}}\n')
    expect((await ingested(path, { key: 'a.b' })).map(({ key }) => key).sort()).toEqual(['7', 'true'])
  })

  test.each<[string, JsonLinesOptions, number]>([
    ['1723161600000', {}, 1_723_161_600_000],
    ['1723161600000.7', {}, 1_723_161_600_000],
    ['"1723161600000"', {}, 1_723_161_600_000],
    ['1723161600.25', { timeUnit: 's' }, 1_723_161_600_250],
    ['1723161600000999', { timeUnit: 'us' }, 1_723_161_600_000],
    ['17231616', { timeUnit: 'ms' }, 17_231_616],
    ['"2024-08-09"', { timeUnit: 's' }, start],
    ['"2024-08-09T02:00:00+02:00"', {}, start],
  ])('time %s %o', async (at, options, expected) => {
    const [record] = await ingested(fileOf(`{"at":${at}}\n`), { time: 'at', ...options })
    expect(record?.timestamp).toBe(expected)
  })

  test.each<[string, string | Buffer, JsonLinesOptions, RegExp]>([
    ['no JSON', '{"sensor"', {}, /:2: not JSON: /],
    ['no UTF-8', Buffer.from([0x22, 0xff, 0x22]), {}, /:2: not UTF-8/],
    ['too long', `"${'x'.repeat(200)}"`, { maxLineBytes: 100 }, /:2: 202 bytes long; at most 100/],
    ['no key', '{"at":1723161600000}', fields, /:2: there is no field sensor/],
    ['an inherited key', '{"at":1723161600000}', { key: 'toString' }, /there is no field toString/],
    ['a key that is no text', '{"sensor":{},"at":1723161600000}', fields, /:2: the key sensor is an object/],
    ['half a surrogate pair', '{"sensor":"\\ud800","at":1723161600000}', fields, /half a surrogate pair/],
    [
      'a key beyond what JSON holds',
      '{"sensor":9007199254740993,"at":1}',
      fields,
      /:2: the key sensor .* make it text/,
    ],
    ['a key that is infinite', '{"sensor":-1e999,"at":1}', fields, /:2: the key sensor .* -Infinity.* make it text/],
    ['a control character', '\u001b[2J', {}, /:2: not JSON: \P{Cc}*\\u\{1b\}\P{Cc}*$/u],
    ['no object', '7', fields, /:2: there is no field sensor/],
    ['no time', '{"sensor":"a"}', fields, /:2: there is no field at/],
    [
      'a time that is none',
      '{"sensor":"a","at":"yesterday"}',
      fields,
      /:2: the time at is "yesterday", which is no ISO/,
    ],
    ['a day that is none', '{"sensor":"a","at":"2024-02-31"}', fields, /which is no ISO/],
    ['a time that is no number', '{"sensor":"a","at":[]}', fields, /:2: the time at is a list/],
    ['seconds for ms', '{"sensor":"a","at":1723161600}', fields, /1970-01-20T.*: say --time-unit s/],
    ['microseconds for ms', '{"sensor":"a","at":1723161600000000}', fields, /past the year 2100/],
    ['a time before 1970', '{"sensor":"a","at":"1969-12-31"}', fields, /before 1970/],
    ['a time past all', '{"sensor":"a","at":1e999}', fields, /which is no time/],
  ])(
    'a line with %s stops it with its place, behind the lines before; or is left out and counted',
    async (_, bad, options, message) => {
      const isKeyed = options.key === 'sensor'
      const good = isKeyed
        ? [line(0), line(1)]
        : options.key === undefined
          ? ['0', '1']
          : ['{"toString":1}', '{"toString":2}']
      const path = fileOf(
        Buffer.concat([Buffer.from(`${good[0]}\n`), Buffer.from(bad as string), Buffer.from(`\n${good[1]}\n`)]),
      )
      const log = new MemoryLog({ partitions })
      const stopped = ingest(log, jsonLinesFile(path, options))
      await expect(stopped).rejects.toThrow(ConfigurationError)
      await expect(stopped).rejects.toThrow(message)
      expect((await logContents(log)).map(({ value }) => value)).toEqual([good[0]])
      const notices: string[] = []
      const skipping = jsonLinesFile(path, {
        ...options,
        onBadLine: 'skip',
        onNotice: (notice) => notices.push(notice),
      })
      expect((await ingest(log, skipping)).counts).toMatchObject({ lines: 3, skipped: 1 })
      expect((await logContents(log)).map(({ value }) => value).sort()).toEqual(good)
      expect(notices).toEqual([expect.stringMatching(message)])
    },
  )

  test.each(['plain', 'gzip'])(
    'killed anywhere and started again, the topic is that of a run without a kill: %s',
    async (kind) => {
      // Longer than a chunk of the file, with blank, bad and open lines in it.
      const text = Array.from({ length: 3_000 }, (_, index) =>
        index % 97 === 0 ? 'bad\n\n' : `${line(index)}${' '.repeat(index % 300)}\r\n`,
      )
        .join('')
        .trimEnd()
      const path = fileOf(kind === 'gzip' ? gzipSync(text) : text)
      const options: JsonLinesOptions = { ...fields, onBadLine: 'skip' }
      const expected = await ingested(path, options)
      expect(expected.length).toBe(3_000 - 31)
      const kill = fc.record({ at: fc.nat(6), isStored: fc.boolean(), maxRecords: fc.integer({ min: 1, max: 900 }) })
      await fc.assert(
        fc.asyncProperty(fc.array(kill, { maxLength: 5 }), async (kills) => {
          const log = new MemoryLog({ partitions })
          for (const { at, isStored, maxRecords } of kills) {
            const writer = crashing(log.writer(), at, isStored)
            await ingest(log, jsonLinesFile(path, options), { writer, batch: { maxRecords } }).catch(ignoreCrash)
          }
          await ingest(log, jsonLinesFile(path, options))
          expect(await logContents(log)).toEqual(expected)
        }),
        { numRuns: 15 },
      )
    },
  )

  test('a byte order mark at the beginning is no part of the first line', async () => {
    const withMark = `\uFEFF${linesOf(2)}`
    expect(await ingested(fileOf(withMark))).toEqual(await ingested(fileOf(linesOf(2))))
    expect(await ingested(fileOf(`\uFEFF\r\n${linesOf(2)}`))).toEqual(await ingested(fileOf(linesOf(2))))
    const log = new MemoryLog({ partitions })
    await ingest(log, jsonLinesInput(inputOf(withMark, 2), fields))
    expect(await logContents(log)).toEqual(await ingested(fileOf(linesOf(2))))
    await expect(ingested(fileOf(`${line(0)}\n\uFEFF${line(1)}\n`))).rejects.toThrow(/:2: not JSON.*\\u\{feff\}/)
  })

  test('goes on in a file that has grown, also where its last line had no end', async () => {
    const path = fileOf(linesOf(3).trimEnd())
    const log = new MemoryLog({ partitions })
    await ingest(log, jsonLinesFile(path, fields))
    appendFileSync(path, `\n${linesOf(2, 3)}bad`)
    await expect(ingest(log, jsonLinesFile(path, fields))).rejects.toThrow(/:6: not JSON/)
    expect(numbers(await logContents(log))).toEqual([0, 1, 2, 3, 4])
  })

  test('a line that went on after it was taken is an error', async () => {
    const path = fileOf('1\n2')
    const log = new MemoryLog({ partitions })
    await ingest(log, jsonLinesFile(path))
    appendFileSync(path, '3\n')
    await expect(ingest(log, jsonLinesFile(path))).rejects.toThrow(/:2 was taken when the file ended in it/)
  })

  test.each([
    ['begins differently', `{"x":1}\n${linesOf(9)}`, /begins differently than when it was read before \(up to line 9/],
    ['is shorter', linesOf(100), /is shorter than when it was read before/],
  ])('a file that %s is found out', async (how, other, message) => {
    const path = fileOf(linesOf(how === 'is shorter' ? 500 : 9))
    const log = new MemoryLog({ partitions })
    await ingest(log, jsonLinesFile(path, fields))
    writeFileSync(path, other)
    await expect(ingest(log, jsonLinesFile(path, fields))).rejects.toThrow(message)
  })

  test('a zipped file that is shorter is found out', async () => {
    const path = fileOf(gzipSync(linesOf(5_000)))
    const log = new MemoryLog({ partitions })
    await ingest(log, jsonLinesFile(path, fields))
    const whole = gzipSync(linesOf(5_000))
    writeFileSync(path, whole.subarray(0, 8_000))
    await expect(ingest(log, jsonLinesFile(path, fields))).rejects.toThrow(/packed data ends in the middle|is shorter/)
  })

  test('other options than before are refused', async () => {
    const path = fileOf(linesOf(3))
    const log = new MemoryLog({ partitions })
    await ingest(log, jsonLinesFile(path, fields))
    await expect(ingest(log, jsonLinesFile(path, { key: 'n' }))).rejects.toThrow(
      /was read with --key sensor --time at up to line 3, and now it is --key n\./,
    )
  })

  test('an empty file is brought in at once', async () => {
    expect(await ingested(fileOf(''))).toEqual([])
  })

  test('a file that is missing, or a folder, is told', async () => {
    await expect(ingested(join(folder, 'none'))).rejects.toThrow(/none does not exist/)
    await expect(ingested(folder)).rejects.toThrow(/is a directory/)
  })
})

describe('JSON lines of standard input', () => {
  test('killed anywhere and given again, in any parts, the topic is that of a run without a kill', async () => {
    const text = linesOf(700).trimEnd()
    const whole = new MemoryLog({ partitions })
    await ingest(whole, jsonLinesInput(inputOf(text), fields))
    const expected = await logContents(whole)
    expect(expected).toHaveLength(700)
    const kill = fc.record({
      at: fc.nat(4),
      isStored: fc.boolean(),
      maxRecords: fc.integer({ min: 1, max: 300 }),
      partBytes: fc.integer({ min: 1, max: 9_000 }),
    })
    await fc.assert(
      fc.asyncProperty(fc.array(kill, { maxLength: 4 }), async (kills) => {
        const log = new MemoryLog({ partitions })
        for (const { at, isStored, maxRecords, partBytes } of kills) {
          const writer = crashing(log.writer(), at, isStored)
          const feed = jsonLinesInput(inputOf(text, partBytes), fields)
          await ingest(log, feed, { writer, batch: { maxRecords } }).catch(ignoreCrash)
        }
        await ingest(log, jsonLinesInput(inputOf(text), fields))
        expect(await logContents(log)).toEqual(expected)
      }),
      { numRuns: 15 },
    )
  })

  test('tells the line of what is wrong, also behind those that are passed over', async () => {
    const log = new MemoryLog({ partitions })
    await ingest(log, jsonLinesInput(inputOf(linesOf(5)), fields))
    const longer = `${linesOf(7)}bad\n`
    await expect(ingest(log, jsonLinesInput(inputOf(longer), fields))).rejects.toThrow(/standard input:8: not JSON/)
    expect(numbers(await logContents(log))).toEqual([0, 1, 2, 3, 4, 5, 6])
  })

  test('another input, or a shorter one, is found out', async () => {
    const log = new MemoryLog({ partitions })
    await ingest(log, jsonLinesInput(inputOf(linesOf(5)), fields))
    await expect(ingest(log, jsonLinesInput(inputOf(linesOf(9, 1)), fields))).rejects.toThrow(/begins differently/)
    await expect(ingest(log, jsonLinesInput(inputOf(linesOf(4)), fields))).rejects.toThrow(/has only 4 lines, and 5/)
    expect(await ingest(log, jsonLinesInput(inputOf(linesOf(5)), fields))).toMatchObject({ records: 0 })
  })

  test('a stop while nothing comes ends it', async () => {
    const input = new Readable({ read: () => undefined })
    input.push(linesOf(2))
    const log = new MemoryLog({ partitions })
    const stop = new AbortController()
    const inner = log.writer()
    const writer: LogWriter = {
      ...inner,
      append: async (records, position) => {
        await inner.append(records, position)
        stop.abort()
      },
    }
    const report = await ingest(log, jsonLinesInput(input, fields), { writer, signal: stop.signal })
    expect(report).toMatchObject({ end: 'stopped', records: 2 })
    expect(input.destroyed).toBe(true)
  })
})
