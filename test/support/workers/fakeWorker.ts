// What WorkerPool starts in its tests; the job's group says how it behaves.
import { getCompileCacheDir } from 'node:module'
import type { MessageFromWorker, MessageToWorker } from '../../../src/host/workerMessages.ts'
import { newTaskStatus } from '../../../src/runtime/task/taskStatus.ts'

const say = (message: MessageFromWorker, then: () => void = () => undefined) => process.send?.(message, then)
const end = () => {
  if (process.connected) process.disconnect?.()
}

let lastWord: MessageFromWorker | null = null

process.on('message', (message: MessageToWorker) => {
  if (message.kind === 'stop') {
    if (lastWord === null) return end()
    say(lastWord, end)
    return
  }
  const { group, kafka } = message.job
  const partition = Number(kafka.instanceId?.split('-').at(-1))
  const task = {
    ...newTaskStatus(partition),
    phase: 'running' as const,
    records: process.pid,
    commits: 1,
    outlets: { out: 10 },
  }
  say({ kind: 'status', tasks: [task], released: [{ ...task, firstGeneration: 7 }] })
  // More than a pipe holds, so that it is still on its way when the process is gone.
  if (group === 'last-word') {
    lastWord = { kind: 'status', tasks: [{ ...task, records: 999, waitingFor: 'x'.repeat(200_000) }], released: [] }
  }
  if (group === 'fails')
    say({ kind: 'failed', code: 'MILLRACE_OFFSET_OUT_OF_RANGE', message: 'records 1 to 2 are gone' })
  if (group === 'restarts') say({ kind: 'failed', code: 'MILLRACE_RETRYABLE', message: 'the broker is away' })
  if (group === 'compiled') say({ kind: 'notice', text: `compiled in ${getCompileCacheDir()}` })
  if (group === 'fails' || group === 'restarts') end()
})
process.on('SIGTERM', end)
process.on('disconnect', end)
