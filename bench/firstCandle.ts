import { spawn } from 'node:child_process'
import { chmodSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const cli = fileURLToPath(new URL('../src/cli/main.ts', import.meta.url))

/** Seconds from starting the command to its line about the first candle row, with a fresh data folder and again with the same one. */
export async function benchFirstCandle(): Promise<{ cold: number; warm: number }> {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-bench-'))
  // PostgreSQL under another account than root must reach it.
  chmodSync(folder, 0o755)
  try {
    const cold = await firstCandle(folder)
    return { cold, warm: await firstCandle(folder) }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

async function firstCandle(folder: string): Promise<number> {
  const startedAt = performance.now()
  const run = spawn(process.execPath, [cli, 'run', 'realtime', '--source', 'simulator', '--data-dir', folder])
  const ended = new Promise((resolve) => run.once('exit', resolve))
  let said = ''
  const seconds = await new Promise<number>((resolve, reject) => {
    const listen = (piece: Buffer) => {
      said += piece.toString()
      if (said.includes('First candle')) resolve((performance.now() - startedAt) / 1_000)
    }
    run.stdout.on('data', listen)
    run.stderr.on('data', listen)
    run.once('exit', () => reject(new Error(`the command ended before its first candle:\n${said}`)))
  })
  run.kill('SIGINT')
  await ended
  return Math.round(seconds * 100) / 100
}

if (import.meta.main) console.log(JSON.stringify(await benchFirstCandle()))
