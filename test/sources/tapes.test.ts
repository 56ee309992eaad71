import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { FrameReader } from '../../src/sources/market/frameFeed.ts'
import { tapeFeed } from '../../src/sources/tape.ts'
import { tapesFeed } from '../../src/sources/tapes.ts'

let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'tapes-test-'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

let files = 0
function tapeOf(content: string, zip = false): string {
  const path = join(folder, `tape-${files++}.jsonl${zip ? '.gz' : ''}`)
  writeFileSync(path, zip ? gzipSync(content) : content)
  return path
}

const never = new AbortController().signal

async function rest(reader: FrameReader, maxFrames = 2) {
  const frames: string[] = []
  const positions: string[] = []
  for (;;) {
    const batch = await reader.read({ maxFrames, maxBytes: 1_000, lingerMs: 0, signal: never })
    if (batch === null) break
    frames.push(...batch.frames.map(String))
    positions.push(batch.position)
  }
  await reader.close()
  return { frames, positions }
}

const open = async (paths: readonly string[], position: string | null = null) =>
  rest(await tapesFeed(paths).open(position))

test('tapes are read one behind the other, and gone on with behind any read', async () => {
  const paths = [tapeOf('a\nb\nc\n'), tapeOf('d\ne', true), tapeOf('f\n')]
  const { frames, positions } = await open(paths)
  expect(frames.join('')).toBe('abcdef')
  for (const [i, position] of positions.entries()) {
    const read = (await open(paths, position)).frames.join('')
    expect('abcdef'.endsWith(read)).toBe(true)
    expect(read.length).toBe(6 - [2, 3, 5, 6][i]!)
  }
})

test('a tape that was read alone is gone on with, and another behind the last one later', async () => {
  const [first, second, third] = [tapeOf('a\nb\n'), tapeOf('c\n'), tapeOf('d\n')] as const
  const alone = await rest(await tapeFeed({ path: first }).open(null))
  const two = await open([first, second], alone.positions.at(-1))
  expect(two.frames).toEqual(['c'])
  expect((await open([first, second], two.positions.at(-1))).frames).toEqual([])
  expect((await open([first, second, third], two.positions.at(-1))).frames).toEqual(['d'])
})

test('a tape that is named twice, left out, or in another order is refused, and so is a position of something else', async () => {
  const [first, second, third] = [tapeOf('a\nb\n'), tapeOf('c\n'), tapeOf('d\n')] as const
  await expect(open([first, second, tapeOf('a\nb\n', true)])).rejects.toThrow(/begin alike: name each tape once/)
  const { positions } = await open([first, second])
  const end = positions.at(-1) as string
  await expect(open([first], end)).rejects.toThrow(/name all tapes that were read, in the same order/)
  await expect(open([first, third, second], end)).rejects.toThrow(/name all tapes that were read/)
  await expect(open([first], '{"seed":1}')).rejects.toThrow(/not a position of a tape/)
  await expect(open([first, join(folder, 'none.jsonl')])).rejects.toThrow(/none\.jsonl/)
})

test('progress counts all tapes', async () => {
  const paths = [tapeOf('a\nb\n'), tapeOf('c\n')]
  const reader = await tapesFeed(paths).open(null)
  while ((await reader.read({ maxFrames: 9, maxBytes: 9, lingerMs: 0, signal: never })) !== null);
  expect(reader.progress()).toMatchObject({ bytesDone: 6, bytesTotal: 6 })
  await reader.close()
})
