import { type ChildProcess, fork } from 'node:child_process'
import { resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { stopSignals } from '../../host/shutdown.ts'
import { ownModule } from '../../runtime/ownPackage.ts'
import { exitFailure } from '../exit.ts'
import type { LoadedFile } from './reportLoads.ts'
import { WatchedFiles } from './watchedFiles.ts'

/**
 * Runs the command in a process of its own, and anew whenever the file or a file of the project that it imports has changed: the run before stops cleanly first. One that
 * ends by itself, or cannot be loaded, is started again after the next change. Ends with the run after a signal, and gives its exit code.
 * @param args of the command line, without what asked for this
 */
export async function watchRun(file: string, args: readonly string[], say: (line: string) => void): Promise<number> {
  const files = new WatchedFiles()
  files.add(resolve(file))
  const stopping = new AbortController()
  let child: ChildProcess | null = null
  // A terminal sends Ctrl-C to both processes; the run takes the second one at once for the same.
  const stop = (signal: NodeJS.Signals) => {
    stopping.abort()
    child?.kill(signal)
  }
  for (const signal of stopSignals) process.on(signal, stop)
  try {
    for (;;) {
      const run = startRun(args, files)
      child = run.child
      const over = new AbortController()
      const changing = files.changed(AbortSignal.any([over.signal, stopping.signal]))
      let changed = await Promise.race([changing, run.ended.then(() => null)])
      over.abort()
      if (changed !== null) run.child.kill('SIGTERM')
      const code = await run.ended
      child = null
      if (changed === null && !stopping.signal.aborted) {
        say(
          `${code === 0 ? 'The run has ended.' : 'The run has failed.'} Waiting for a change of ${file} or of what it imports.`,
        )
        changed = await files.changed(stopping.signal)
      }
      if (changed === null || stopping.signal.aborted) return code
      say(`${changed} has changed: the run starts again.`)
    }
  } finally {
    for (const signal of stopSignals) process.off(signal, stop)
  }
}

interface WatchedRun {
  readonly child: ChildProcess
  /** Its exit code. */
  readonly ended: Promise<number>
}

function startRun(args: readonly string[], files: WatchedFiles): WatchedRun {
  const child = fork(fileURLToPath(ownModule('cli/watchedMain')), args, {
    stdio: ['inherit', 'inherit', 'inherit', 'ipc'],
  })
  child.on('message', ({ loaded }: LoadedFile) => files.add(loaded))
  const ended = new Promise<number>((end, fail) => {
    child.once('error', fail)
    child.once('exit', (code) => end(code ?? exitFailure))
  })
  return { child, ended }
}
