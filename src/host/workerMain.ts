// The program of one worker process; `WorkerPool` starts it and tells it what to do.
import { systemClock } from '../runtime/clock.ts'
import { MillraceError } from '../runtime/errors.ts'
import type { StopMode } from '../runtime/worker/stopMode.ts'
import { Cleanup } from './cleanup.ts'
import { openKafkaWorker } from './kafkaWorker.ts'
import { makePipeline } from './pipelineModule.ts'
import type { PipelineWorker } from './pipelineWorker.ts'
import { StartWait, StoppedWaiting } from './startWait.ts'
import type { MessageFromWorker, MessageToWorker, WorkerJob } from './workerMessages.ts'

const statusEveryMs = 250
const exitGraceMs = 2_000

let worker: PipelineWorker | null = null
let stopMode: StopMode | null = null
const wait = new StartWait({ clock: systemClock, say: (text) => tell({ kind: 'notice', text }) })

function stop(mode: StopMode): void {
  stopMode = mode
  wait.stop()
  worker?.stop(mode)
}

/** Resolves when the last message is on its way: a channel that is closed before loses what a pipe cannot hold. */
let told: Promise<void> = Promise.resolve()

function tell(message: MessageFromWorker): void {
  // A parent that is gone is noticed by `disconnect`.
  if (process.connected) told = new Promise((resolve) => process.send?.(message, () => resolve()))
}

async function work(job: WorkerJob): Promise<void> {
  const cleanup = new Cleanup()
  try {
    const pipeline = await makePipeline(job.pipeline)
    const opened = await openKafkaWorker(pipeline, job, wait, (text) => tell({ kind: 'warning', text }), cleanup)
    cleanup.add(() => opened.close())
    worker = opened
    const report = () => tell({ kind: 'status', tasks: opened.status(), released: opened.released() })
    const reporting = setInterval(report, statusEveryMs)
    cleanup.add(() => clearInterval(reporting))
    if (stopMode !== null) opened.stop(stopMode)
    await opened.run()
    report()
  } finally {
    await cleanup.run()
  }
}

function end(code: number): void {
  process.exitCode = code
  // What still holds the process is a socket on its way out, and the pipe to the parent.
  setTimeout(() => process.exit(), exitGraceMs).unref()
  void told.then(() => {
    if (process.connected) process.disconnect?.()
  })
}

process.on('message', (message: MessageToWorker) => {
  if (message.kind === 'stop') return stop(message.mode)
  work(message.job).then(
    () => end(0),
    (error: unknown) => {
      if (error instanceof StoppedWaiting) return end(0)
      const code = error instanceof MillraceError ? error.code : ''
      const text =
        error instanceof Error ? (code === '' ? (error.stack ?? error.message) : error.message) : String(error)
      tell({ kind: 'failed', code, message: text })
      end(1)
    },
  )
})
// Ctrl-C, and the end of a terminal, reach every process of it; the parent decides what they mean.
for (const signal of ['SIGINT', 'SIGHUP'] as const) process.on(signal, () => undefined)
process.on('SIGTERM', () => stop('settle'))
// Without a parent nobody would start it again or stop it.
process.on('disconnect', () => stop('now'))
