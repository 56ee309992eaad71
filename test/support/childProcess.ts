import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'

/** A TypeScript program run as a process of its own. */
export interface Child {
  readonly pid: number
  /** Resolves with the first line it prints; rejects with its error output when it ends before. */
  firstLine(): Promise<string>
  /** Ends its input and waits for the end. */
  finish(): Promise<void>
  /** kill -9. */
  kill(): Promise<void>
}

export function runChild(program: URL, args: readonly string[]): Child {
  const child: ChildProcess = spawn(process.execPath, [program.pathname, ...args], { stdio: ['pipe', 'pipe', 'pipe'] })
  let errors = ''
  child.stderr!.on('data', (data: Buffer) => {
    errors += data.toString()
  })
  const ended = once(child, 'exit')
  const line = once(createInterface(child.stdout!), 'line').then(([text]) => String(text))
  return {
    pid: child.pid!,
    firstLine: () =>
      Promise.race([
        line,
        ended.then(([code]) => Promise.reject(new Error(`the child ended with ${code}: ${errors}`))),
      ]),
    async finish() {
      child.stdin!.end()
      await ended
    },
    async kill() {
      child.kill('SIGKILL')
      await ended
    },
  }
}
