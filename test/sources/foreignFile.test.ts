import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync, zstdCompressSync } from 'node:zlib'
import { afterAll, describe, expect, test } from 'vitest'
import { inspectTape } from '../../src/sources/tapeFile.ts'
import { requireTapeTimeUnit } from '../../src/sources/tapeTimeUnit.ts'

const folder = mkdtempSync(join(tmpdir(), 'foreign-file-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

let files = 0
function fileOf(content: string | Buffer): string {
  const path = join(folder, `file-${files++}`)
  writeFileSync(path, content)
  return path
}

function frame(time: number, stream = 'btcusdt@trade'): string {
  return JSON.stringify({
    stream,
    data: { e: 'trade', E: time, s: 'BTCUSDT', t: 1, p: '10', q: '1', T: time, m: false, M: true },
  })
}

const time = Date.UTC(2024, 7, 8)
const lines = `${frame(time)}\n${frame(time + 1)}\n`

const utf16le = Buffer.from(lines, 'utf16le')
const foreign: readonly (readonly [string, string | Buffer, string])[] = [
  ['zip', Buffer.concat([Buffer.from('PK\x03\x04'), Buffer.alloc(40)]), 'unzip -p'],
  ['bzip2', 'BZh91AY', 'bunzip2'],
  ['xz', Buffer.from([0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00, 1]), 'unxz'],
  ['Parquet', 'PAR1....', 'duckdb'],
  ['UTF-16 with its mark', Buffer.concat([Buffer.from([0xff, 0xfe]), utf16le]), 'iconv -f UTF-16LE'],
  ['UTF-16 the other way', Buffer.concat([Buffer.from([0xff, 0xfe]), utf16le]).swap16(), 'iconv -f UTF-16BE'],
  ['UTF-16 without a mark', utf16le, 'iconv -f UTF-16LE'],
  ['one JSON array on one line', `[${frame(time)},${frame(time)}]`, "jq -c '.[]'"],
  ['one JSON array on several lines', JSON.stringify([{ a: 1 }], null, 2), "jq -c '.[]'"],
  ['records over several lines', JSON.stringify(JSON.parse(frame(time)), null, 2), 'jq -c .'],
  ['CSV with headings', 'id,price,qty,time\n1,2.0,3,4\n', 'is CSV'],
  ['CSV without', '1,61837.63,0.001,1723075200000,True,True\n2,61837.63,0.001,1723075200000,True,True\n', 'is CSV'],
  ['CSV of semicolons, quoted', '"id";"price";"at"\r\n1;2;2024-08-08T00:00:00\r\n', 'is CSV'],
]

describe('a file that is none of lines of JSON', () => {
  test.each(foreign)('%s is told what it is, and what to do', async (_, content, words) => {
    await expect(inspectTape(fileOf(content))).rejects.toThrow(words)
    await expect(inspectTape(fileOf(gzipSync(content)))).rejects.toThrow(words)
    await expect(inspectTape(fileOf(zstdCompressSync(content)))).rejects.toThrow(words)
  })

  test('a device and a directory are refused', async () => {
    await expect(inspectTape('/dev/null')).rejects.toThrow('is no file but a pipe')
    await expect(inspectTape(folder)).rejects.toThrow('is a directory')
    await expect(inspectTape(fileOf(''))).rejects.toThrow('is empty')
  })
})

test.each([
  ['plain', lines],
  ['of Windows', lines.replaceAll('\n', '\r\n')],
  ['marked', `\uFEFF${lines}`],
  ['with a frame that is an array', `[{"e":"24hrTicker","s":"BTCUSDT"}]\n${lines}`],
  ['with a first line that is damaged', `${lines.slice(20, 60)}\n${lines}`],
  ['with a first line of zeros', `${'\0'.repeat(100)}\n${lines}`],
  ['with a line in the middle that has commas', `${lines}1,2,3,4\n${lines}`],
])('lines %s are a tape', async (_, content) => {
  expect((await inspectTape(fileOf(content))).packing).toBe(null)
  expect((await inspectTape(fileOf(gzipSync(content)))).packing).toBe('gzip')
  expect((await inspectTape(fileOf(zstdCompressSync(content)))).packing).toBe('zstd')
})

describe('the unit of the times of a tape', () => {
  const us = fileOf(`${frame(time * 1_000)}\n${frame(time * 1_000 + 1)}\n`)

  test('is not guessed, but another one is told', async () => {
    await expect(requireTapeTimeUnit(us, 'ms')).rejects.toThrow(
      'microseconds where milliseconds were expected: set --time-unit us',
    )
    await expect(requireTapeTimeUnit(fileOf(lines), 'us')).rejects.toThrow('set --time-unit ms')
    await expect(requireTapeTimeUnit(fileOf(frame(time / 1_000)), 'ms')).rejects.toThrow('a time in seconds')
    await expect(requireTapeTimeUnit(us, 'us')).resolves.toBeUndefined()
    await expect(requireTapeTimeUnit(fileOf(lines), 'ms')).resolves.toBeUndefined()
  })

  test('one absurd time among others is for the decoder', async () => {
    await expect(requireTapeTimeUnit(fileOf(`${frame(time * 1_000)}\n${lines}`), 'ms')).resolves.toBeUndefined()
  })
})
