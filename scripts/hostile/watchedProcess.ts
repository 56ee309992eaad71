import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'

const main = new URL('../../src/cli/main.ts', import.meta.url).pathname
const sampleEveryMs = 25
const mostOutput = 60_000

/** How a command ended, and the most memory that its process had. */
export interface WatchedEnd {
  /** Null where it was ended because it took too long. */
  readonly code: number | null
  readonly output: string
  readonly peakMb: number
  readonly seconds: number
}

/** Runs `millrace …args` as a process of its own, with nothing of this one's settings, and watches its memory. */
export function runWatched(
  args: readonly string[],
  env: Readonly<Record<string, string>>,
  cwd: string,
  mostMs: number,
): Promise<WatchedEnd> {
  const inherited = Object.entries(process.env).filter(
    ([name]) => !/^(MILLRACE_|KAFKA_|AWS_|PG|NODE_OPTIONS|VITEST|DATABASE_URL$|CI$)/.test(name),
  )
  const startedAt = performance.now()
  const child = spawn(process.execPath, [main, ...args], {
    cwd,
    env: { ...Object.fromEntries(inherited), ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  let peakKb = 0
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => {
      output = (output + chunk.toString()).slice(-mostOutput)
    })
  }
  const sampling = setInterval(() => {
    peakKb = Math.max(peakKb, peakOf(child.pid))
  }, sampleEveryMs)
  const ending = setTimeout(() => child.kill('SIGKILL'), mostMs)
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (code) => {
      clearInterval(sampling)
      clearTimeout(ending)
      const seconds = (performance.now() - startedAt) / 1000
      resolve({ code, output, peakMb: Math.round(peakKb / 1024), seconds })
    })
  })
}

/** The highest that the resident memory has been, KiB; 0 where the process is gone, or the system does not tell. */
function peakOf(pid: number | undefined): number {
  try {
    return Number(/^VmHWM:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0)
  } catch {
    return 0
  }
}
