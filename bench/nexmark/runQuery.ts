import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import type { Cleanup } from '../../src/host/cleanup.ts'
import type { Query } from './oracle.ts'

/** What a run of the command has taken, as a whole process: from its start to its end. */
export interface QueryUsage {
  readonly seconds: number
  readonly cpuSeconds: number
  readonly rssMb: number
}

const root = resolve(import.meta.dirname, '../..')
const usage = join(import.meta.dirname, 'usage.ts')

/**
 * Runs a query by the command that is built, until all that its topics hold is in its table.
 * @param folder for what the command and the measurement keep
 * @param env settings of the command, and `NEXMARK_PREFIX`
 * @param cleanup ends it where the benchmark ends before it
 */
export async function runQuery(
  query: Query,
  folder: string,
  env: Readonly<Record<string, string>>,
  cleanup: Pick<Cleanup, 'add'>,
): Promise<QueryUsage> {
  const file = join(folder, `${query}.usage.json`)
  const startedAt = performance.now()
  const command = join(root, 'dist/cli/main.js')
  const pipeline = join(import.meta.dirname, `${query}.ts`)
  const child = spawn(
    process.execPath,
    ['--import', usage, command, 'run', pipeline, '--until-end', '--close-open', '--data-dir', folder],
    { env: { ...process.env, ...env, NEXMARK_USAGE: file }, stdio: ['ignore', 'pipe', 'pipe'] },
  )
  cleanup.add(() => void child.kill('SIGKILL'))
  let told = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => {
      told = (told + String(chunk)).slice(-10_000)
    })
  }
  const code = await new Promise((ended, failed) => child.on('error', failed).on('close', ended))
  const seconds = (performance.now() - startedAt) / 1_000
  if (code !== 0) throw new Error(`${query} ended with exit code ${String(code)}:\n${told}`)
  const used = JSON.parse(readFileSync(file, 'utf8')) as Omit<QueryUsage, 'seconds'>
  return { seconds, ...used }
}
