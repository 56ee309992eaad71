import { writeFileSync } from 'node:fs'
import { gzipSync } from 'node:zlib'
import { unkindTrades } from '../../src/testing/unkind/unkindTrades.ts'

const symbols = ['BTCUSDT', 'ETHUSDT', 'SHIBUSDT', 'BNBUSDT', 'SOLUSDT', 'XRPUSDT', 'DOGEUSDT', 'ADAUSDT']
const blockTrades = 10_000
const dayMs = 86_400_000

/** Writes a tape of unkind frames, one a line, a day of event time for each block; gives the number of lines. */
export function writeUnkindTape(path: string, trades: number, seed: number): number {
  const lines: Buffer[] = []
  for (let block = 0; block * blockTrades < trades; block++) {
    const { records } = unkindTrades({
      seed: `${seed}/${block}`,
      trades: Math.min(blockTrades, trades - block * blockTrades),
      symbols,
      startMs: Date.UTC(2024, 7, 9, 1) + block * 2 * dayMs,
      averageStepMs: 4_000,
      maxOutOfOrdernessMs: 2_000,
      allowedLatenessMs: 30_000,
      hasGaps: true,
    })
    for (const { value } of records) if (value !== null && value.length > 0) lines.push(oneLine(value))
  }
  writeFileSync(path, gzipSync(Buffer.concat(lines), { level: 1 }))
  return lines.length
}

/** A frame on a line of its own: line breaks, which only stand between JSON tokens here, become spaces. */
function oneLine(frame: Uint8Array): Buffer {
  const line = Buffer.concat([frame, Buffer.from('\n')])
  for (let i = 0; i < line.length - 1; i++) if (line[i] === 0x0a || line[i] === 0x0d) line[i] = 0x20
  return line
}
