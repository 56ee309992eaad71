import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { gunzipSync } from 'node:zlib'

const folder = fileURLToPath(new URL('../../../../shared/data/captures/', import.meta.url))

/** One frame of a capture, and when it came. */
export interface CapturedFrame {
  readonly frame: Buffer
  /** ms UTC by the clock of whoever recorded it. */
  readonly receivedAt: number
}

export interface Capture {
  readonly name: string
  readonly market: 'spot' | 'usdm'
  readonly frames: readonly CapturedFrame[]
}

export const hasCaptures = existsSync(folder)

/** The whole captures of every stream: `<receive time in ns> <frame>` or `<receive time in s>: <frame>` a line. */
export function readCaptures(): readonly Capture[] {
  return readdirSync(folder)
    .filter((name) => name.endsWith('.gz'))
    .map((name) => ({ name, market: name.startsWith('usdm') ? 'usdm' : 'spot', frames: framesOf(name) }))
}

export function framesOf(name: string): readonly CapturedFrame[] {
  const lines = gunzipSync(readFileSync(`${folder}${name}`))
    .toString()
    .split('\n')
  return lines.flatMap((line) => {
    const found = /^(\d{10}(?:\.\d+)?:|\d{19}) (\{.*\})$/.exec(line)
    const [, time = '', frame = ''] = found ?? []
    if (found === null) return []
    const receivedAt = time.endsWith(':') ? Number(time.slice(0, -1)) * 1_000 : Number(time.slice(0, 13))
    return [{ frame: Buffer.from(frame), receivedAt }]
  })
}
