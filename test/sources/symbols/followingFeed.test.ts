import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeEach, expect, test } from 'vitest'
import type { FrameFeed } from '../../../src/sources/market/frameFeed.ts'
import { followingFeed } from '../../../src/sources/symbols/followingFeed.ts'
import { SymbolsFollower } from '../../../src/sources/symbols/followSymbols.ts'

const folder = mkdtempSync(join(tmpdir(), 'millrace-symbols-'))
const path = join(folder, 'symbols.yaml')
afterAll(() => rmSync(folder, { recursive: true, force: true }))

function write(...symbols: readonly string[]): void {
  const list = symbols.map((symbol) => `  - { symbol: ${symbol}, tier: all }\n`).join('')
  // As editors do: another file in the place of the old one.
  writeFileSync(`${path}.new`, `tiers: { all: { streams: [trade] } }\nsymbols:\n${list}`)
  renameSync(`${path}.new`, path)
}

let seconds = 0
let notices: string[] = []
beforeEach(() => {
  seconds = 0
  notices = []
  write('BTCUSDT')
})

function followerOf(wanted: readonly string[] = ['btcusdt@trade']): SymbolsFollower {
  const options = { path, now: () => seconds * 1_000, onNotice: (line: string) => notices.push(line) }
  return new SymbolsFollower(options, wanted)
}

async function hasChanged(follower: SymbolsFollower): Promise<boolean> {
  const before = follower.wanted
  await follower.look()
  return follower.wanted !== before
}

/** Counts on from its position, one frame a read, and remembers how it was opened. */
function countingFeed(opened: string[]) {
  return async (symbols: readonly string[]): Promise<FrameFeed> => ({
    name: 'counting',
    open: async (position) => {
      opened.push(`open ${symbols.join(',')} at ${position}`)
      let count = Number(position ?? 0)
      return {
        read: async () => {
          count++
          return { frames: [Buffer.from(`${symbols.join(',')} ${count}`)], position: String(count), quietThrough: null }
        },
        progress: () => ({ bytesDone: null, bytesTotal: null, waitingFor: null, counts: {} }),
        close: async () => {
          opened.push('close')
        },
      }
    },
  })
}

const options = { maxFrames: 10, maxBytes: 1e6, lingerMs: 0, signal: new AbortController().signal }

test('a change of the file opens the feed anew, behind what was handed over, and nothing else does', async () => {
  const opened: string[] = []
  const feed = followingFeed({ name: 'feed', isSimulated: false, follower: followerOf(), feedOf: countingFeed(opened) })
  const reader = await feed.open('5')
  const next = async () => {
    seconds += 1
    return (await reader.read(options))?.frames.map(String)
  }
  expect(await next()).toStrictEqual(['BTCUSDT 6'])
  write('BTCUSDT', 'ETHUSDT')
  expect(await next()).toStrictEqual(['BTCUSDT,ETHUSDT 7'])
  expect(await next()).toStrictEqual(['BTCUSDT,ETHUSDT 8'])
  write('ETHUSDT', 'BTCUSDT')
  expect(await next()).toStrictEqual(['BTCUSDT,ETHUSDT 9'])
  write('ETHUSDT')
  expect(await next()).toStrictEqual(['ETHUSDT 10'])
  await reader.close()
  expect(opened).toStrictEqual([
    'open BTCUSDT at 5',
    'close',
    'open BTCUSDT,ETHUSDT at 6',
    'close',
    'open ETHUSDT at 9',
    'close',
  ])
  expect(notices).toStrictEqual([`${path} has changed: +ETHUSDT`, `${path} has changed: -BTCUSDT`])
})

test('a change before the first frame goes on where the feed was to begin', async () => {
  const opened: string[] = []
  const feed = followingFeed({ name: 'feed', isSimulated: false, follower: followerOf(), feedOf: countingFeed(opened) })
  const reader = await feed.open('5')
  write('ETHUSDT')
  await reader.read(options)
  expect(opened).toStrictEqual(['open BTCUSDT at 5', 'close', 'open ETHUSDT at 5'])
  // Opened again by whoever reads it, it takes what is wanted by then.
  await feed.open('7')
  expect(opened.at(-1)).toBe('open ETHUSDT at 7')
})

test('a file that is gone, broken or empty changes nothing, and is told of once', async () => {
  const follower = followerOf()
  const look = () => {
    seconds += 1
    return hasChanged(follower)
  }
  await look()
  rmSync(path)
  expect([await look(), await look()]).toStrictEqual([false, false])
  writeFileSync(path, 'symbols: [')
  expect([await look(), await look()]).toStrictEqual([false, false])
  write()
  expect([await look(), await look()]).toStrictEqual([false, false])
  expect(follower.wanted).toStrictEqual(['btcusdt@trade'])
  expect(notices).toHaveLength(3)
  expect(notices[0]).toContain('does not exist')
  expect(notices[1]).toContain('no YAML')
  expect(notices[2]).toContain('leaves no symbol to take')
  write('BTCUSDT', 'SOLUSDT')
  expect(await look()).toBe(true)
})

test('the file is looked at once a second at most', async () => {
  const follower = followerOf()
  expect(await hasChanged(follower)).toBe(false)
  write('ETHUSDT')
  seconds += 0.9
  expect(await hasChanged(follower)).toBe(false)
  seconds += 0.1
  expect(await hasChanged(follower)).toBe(true)
})
