import { type ChildProcessByStdio, spawn } from 'node:child_process'
import { resolve } from 'node:path'
import type { Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import type { EmptyDatabases } from './emptyDatabases.ts'

export interface CommandResult {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
}

/** A command of the CLI in a process of its own. */
export interface RunningCommand {
  readonly process: ChildProcessByStdio<null, Readable, Readable>
  /** Resolves when `pattern` has come on stdout or stderr; rejects with what came when the process ends first. */
  seen(pattern: RegExp): Promise<void>
  readonly ended: Promise<CommandResult>
}

const main = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url))

export interface CommandPlace {
  readonly cwd: string
  readonly env?: Readonly<Record<string, string>>
  /** One is laid into the data folder of the command before it starts, unless that has a database elsewhere. Default: it makes its own. */
  readonly databases?: EmptyDatabases
}

/** Starts `millrace …args` with nothing of this process's settings in its environment. */
export function startCommand(args: readonly string[], place: CommandPlace): RunningCommand {
  const inherited = Object.entries(process.env).filter(
    ([name]) => !/^(MILLRACE_|KAFKA_|AWS_|NODE_OPTIONS|VITEST|DATABASE_URL$|CI$)/.test(name),
  )
  if (!place.env?.DATABASE_URL) place.databases?.layInto(dataDirOf(args, place))
  const child = spawn(process.execPath, [main, ...args], {
    cwd: place.cwd,
    env: { ...Object.fromEntries(inherited), ...place.env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let stdout = ''
  let stderr = ''
  const waiting = new Set<() => void>()
  const wake = () => {
    for (const check of waiting) check()
  }
  child.stdout.on('data', (chunk: Buffer) => {
    stdout += chunk.toString()
    wake()
  })
  child.stderr.on('data', (chunk: Buffer) => {
    stderr += chunk.toString()
    wake()
  })
  const ended = new Promise<CommandResult>((resolve) => {
    child.on('close', (code, signal) => resolve({ code, signal, stdout, stderr }))
  })
  const seen = (pattern: RegExp) =>
    new Promise<void>((resolve, reject) => {
      const check = () => {
        if (!pattern.test(stdout) && !pattern.test(stderr)) return
        waiting.delete(check)
        resolve()
      }
      waiting.add(check)
      void ended.then(() => reject(new Error(`${pattern} never came:\n${stdout}\n${stderr}`)))
      check()
    })
  return { process: child, seen, ended }
}

function dataDirOf(args: readonly string[], { cwd, env }: CommandPlace): string {
  const at = args.indexOf('--data-dir')
  return resolve(cwd, (at < 0 ? env?.MILLRACE_DATA_DIR : args[at + 1]) ?? '.millrace')
}

/** Runs `millrace …args` to its end. */
export function runCommand(args: readonly string[], place: CommandPlace): Promise<CommandResult> {
  return startCommand(args, place).ended
}
