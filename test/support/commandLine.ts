import { type ChildProcessByStdio, spawn } from 'node:child_process'
import type { Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'

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
}

/** Starts `millrace …args` with nothing of this process's settings in its environment. */
export function startCommand(args: readonly string[], place: CommandPlace): RunningCommand {
  const inherited = Object.entries(process.env).filter(
    ([name]) => !/^(MILLRACE_|KAFKA_|AWS_|NODE_OPTIONS|VITEST|DATABASE_URL$|CI$)/.test(name),
  )
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

/** Runs `millrace …args` to its end. */
export function runCommand(args: readonly string[], place: CommandPlace): Promise<CommandResult> {
  return startCommand(args, place).ended
}
