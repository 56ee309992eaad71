import { describe, expect, test } from 'vitest'
import { PipelineRun } from '../../src/host/pipelineRun.ts'
import type { PipelineWorker } from '../../src/host/pipelineWorker.ts'
import { RetryableError } from '../../src/runtime/errors.ts'
import { newTaskStatus, type TaskStatus } from '../../src/runtime/task/taskStatus.ts'
import type { StopMode } from '../../src/runtime/worker/stopMode.ts'

const taskAt = (partition: number, committedOffset: number): TaskStatus => ({
  ...newTaskStatus(partition),
  ...{ phase: 'stopped', committedOffset, nextOffset: committedOffset, logEndOffset: 10 },
})

/** Has both partitions until it is stopped, and then ends with those that are given. */
function runThatEndsWith(tasks: readonly TaskStatus[]) {
  const stops: StopMode[] = []
  const ended = Promise.withResolvers<void>()
  const worker: PipelineWorker = {
    run: () => ended.promise,
    stop: (mode) => {
      stops.push(mode)
      ended.resolve()
    },
    status: () => (stops.length === 0 ? [taskAt(0, 0), taskAt(1, 0)] : tasks),
    released: () => [],
    waitingFor: null,
    close: async () => undefined,
  }
  return { run: new PipelineRun({ feeds: [], topic: 'trades', ends: [], worker, tasks: 2 }), stops }
}

const untilEnd = { untilEnd: true, closeOpen: false }

describe('a run until the end', () => {
  test('has committed all when each partition is stored to its end', async () => {
    const { run, stops } = runThatEndsWith([taskAt(0, 10), taskAt(1, 10)])
    expect(await run.run(untilEnd)).toMatchObject({ end: 'committed' })
    expect(stops).toEqual(['drain'])
  })

  test.each([
    ['a partition went to another worker', [taskAt(0, 10)], '1 partitions, 0 records'],
    ['a partition was not read to its end', [taskAt(0, 10), taskAt(1, 7)], '2 partitions, 3 records'],
    ['another worker has claimed a partition', [taskAt(0, 10), { ...taskAt(1, 10), phase: 'fenced' as const }], ''],
  ])('fails, to be started again, when %s', async (_what, tasks, counts) => {
    const running = runThatEndsWith(tasks).run.run(untilEnd)
    await expect(running).rejects.toBeInstanceOf(RetryableError)
    await expect(running).rejects.toThrow(`not all of trades was committed by this run: it ended with ${counts}`)
  })

  test('that is stopped before it has come there ends as any other', async () => {
    const { run } = runThatEndsWith([taskAt(0, 3), taskAt(1, 3)])
    const running = run.run(untilEnd)
    run.stop()
    expect(await running).toMatchObject({ end: 'stopped' })
  })
})
