import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync, zstdCompressSync } from 'node:zlib'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ConfigurationError } from '../../src/runtime/errors.ts'
import type { FrameReader } from '../../src/sources/market/frameFeed.ts'
import { tapeFeed } from '../../src/sources/tape.ts'
import { tapeIdentity, tapeTopic } from '../../src/sources/tapeFile.ts'

let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'tape-test-'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

let files = 0
type Pack = (content: string | Buffer) => string | Buffer
const plain: Pack = (content) => content

function tapeOf(content: string | Buffer, pack: Pack = plain): string {
  const path = join(folder, `tape-${files++}.jsonl`)
  writeFileSync(path, pack(content))
  return path
}

const never = new AbortController().signal

async function readAll(reader: FrameReader, maxFrames = 3): Promise<{ frames: string[]; positions: string[] }> {
  const frames: string[] = []
  const positions: string[] = []
  for (;;) {
    const batch = await reader.read({ maxFrames, maxBytes: 1_000, lingerMs: 0, signal: never })
    if (batch === null) return { frames, positions }
    for (const frame of batch.frames) frames.push(frame.toString())
    positions.push(batch.position)
  }
}

async function framesOf(path: string, maxLineBytes?: number): Promise<string[]> {
  const feed = tapeFeed(maxLineBytes === undefined ? { path } : { path, maxLineBytes })
  const reader = await feed.open(null)
  try {
    return (await readAll(reader)).frames
  } finally {
    await reader.close()
  }
}

const packs: readonly (readonly [string, Pack])[] = [
  ['plain', plain],
  ['gzip', gzipSync],
  ['Zstandard', zstdCompressSync],
]

describe.each(packs)('a %s tape', (_, zip) => {
  test('gives its lines in order, without line ends and blank lines, the last one with or without a line end', async () => {
    expect(await framesOf(tapeOf('a\r\n\n  \nb\n\r\nc', zip))).toEqual(['a', 'b', 'c'])
    expect(await framesOf(tapeOf('a\nb\n', zip))).toEqual(['a', 'b'])
    expect(await framesOf(tapeOf('\uFEFFa\nb', zip))).toEqual(['a', 'b'])
    expect(await framesOf(tapeOf('\uFEFF\r\na\n\uFEFFb', zip))).toEqual(['a', '\uFEFFb'])
  })

  test('resumed behind any read, it gives the rest and nothing twice', async () => {
    const line = fc.string({ minLength: 0, maxLength: 40, unit: 'binary' }).map((text) => text.replace(/[\r\n]/g, '.'))
    await fc.assert(
      fc.asyncProperty(
        fc.array(line, { minLength: 1, maxLength: 30 }),
        fc.integer({ min: 1, max: 7 }),
        async (lines, maxFrames) => {
          const path = tapeOf(`${lines.join('\n')}\nend`, zip)
          const whole = await readAll(await tapeFeed({ path }).open(null), maxFrames)
          expect(whole.frames).toEqual([...lines, 'end'].filter((text) => !/^[ \t\r]*$/.test(text)))
          let done = 0
          for (const position of whole.positions) {
            done += maxFrames
            const rest = await readAll(await tapeFeed({ path }).open(position), maxFrames)
            expect(rest.frames).toEqual(whole.frames.slice(done))
          }
        },
      ),
      { numRuns: 30 },
    )
  })

  test('a line that is too long is cut, marked and followed by the next one', async () => {
    const [cut, next] = await framesOf(tapeOf(`${'x'.repeat(900_000)}\nnext\n`, zip), 1_000)
    expect(cut).toMatch(/^!cut: frame of 900000 bytes, larger than 1000, its start follows\nx+$/)
    expect(cut).toHaveLength(1_000)
    expect(next).toBe('next')
  })

  test('says how far it is', async () => {
    const reader = await tapeFeed({ path: tapeOf('a\nb\nc\n', zip) }).open(null)
    await readAll(reader)
    const { bytesDone, bytesTotal, counts } = reader.progress()
    expect(bytesDone).toBe(bytesTotal)
    expect(counts.lines).toBe(3)
  })

  test('shorter than its position, it is refused', async () => {
    const feed = tapeFeed({ path: tapeOf('a\n', zip) })
    await expect(feed.open('{"line":9,"byte":900}').then((reader) => readAll(reader))).rejects.toThrow(
      /shorter than what was read/,
    )
  })
})

test('a gzip that ends in the middle gives its whole lines and then says what is wrong', async () => {
  const lines = Array.from({ length: 5_000 }, (_, index) => `line ${index} ${(index * 7919) % 10007}`)
  const path = tapeOf(lines.join('\n'), gzipSync)
  truncateSync(path, 20_000)
  const reader = await tapeFeed({ path }).open(null)
  const read: string[] = []
  const reading = async () => {
    for (;;) {
      const batch = await reader.read({ maxFrames: 100, maxBytes: 1e6, lingerMs: 0, signal: never })
      if (batch === null) return
      for (const frame of batch.frames) read.push(frame.toString())
    }
  }
  await expect(reading()).rejects.toThrow(ConfigurationError)
  expect(read.length).toBeGreaterThan(100)
  expect(read).toEqual(lines.slice(0, read.length))
  await reader.close()
})

test.each([
  ['a missing file', () => join(folder, 'nowhere.gz'), /does not exist/],
  ['a directory', () => folder, /is a directory/],
  ['an empty file', () => tapeOf(''), /is empty/],
  ['an empty gzip', () => tapeOf('', gzipSync), /is empty/],
  ['a broken gzip', () => tapeOf(Buffer.from([0x1f, 0x8b, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10])), /packed data/],
])('%s is a configuration error that says so', async (_, path, message) => {
  const failure = framesOf(path())
  await expect(failure).rejects.toThrow(ConfigurationError)
  await expect(failure).rejects.toThrow(message)
})

test('a position of another feed is refused', async () => {
  const feed = tapeFeed({ path: tapeOf('a\n') })
  await expect(feed.open('{"random":1}')).rejects.toThrow(/not a position of a tape/)
})

test('a tape has one identity, zipped or not, and another one when its start differs', async () => {
  const content = 'frame\n'.repeat(300_000)
  const plain = await tapeIdentity(tapeOf(content))
  expect(plain).toMatch(/^[0-9a-f]{12}$/)
  expect(await tapeIdentity(tapeOf(content, gzipSync))).toBe(plain)
  expect(await tapeIdentity(tapeOf(`${content}more\n`))).toBe(plain)
  expect(await tapeIdentity(tapeOf(`other\n${content}`))).not.toBe(plain)
  expect(await tapeTopic(tapeOf(content))).toBe(`crypto.trades.tape.${plain}`)
})
