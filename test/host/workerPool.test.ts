import { enableCompileCache, getCompileCacheDir } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import type { WorkerJob } from '../../src/host/workerMessages.ts'
import { WorkerPool } from '../../src/host/workerPool.ts'
import { OffsetOutOfRangeError } from '../../src/runtime/errors.ts'

const program = fileURLToPath(new URL('../support/workers/fakeWorker.ts', import.meta.url))

function poolOf(group: string, workers: number) {
  const notices: string[] = []
  const jobs = Array.from({ length: workers }, (_, index) => {
    const id = `here-${index}`
    return { id, job: { group, kafka: { instanceId: id } } as WorkerJob }
  })
  const pool = new WorkerPool({ jobs, onNotice: (line) => notices.push(line), program })
  return { pool, notices, running: pool.run() }
}

/** Processes take a while to start on a busy machine. */
const eventually = <T>(probe: () => T) => expect.poll(probe, { timeout: 15_000 })

const partitions = (pool: WorkerPool) => pool.status().map(({ partition }) => partition)

describe('WorkerPool', { timeout: 30_000 }, () => {
  test('starts a killed worker again under its id, says so, and leaves the others alone', async () => {
    const { pool, notices, running } = poolOf('lives', 2)
    await eventually(() => partitions(pool)).toEqual([0, 1])
    // Each says that it has let go of another task of its partition.
    expect(pool.released().map(({ partition, firstGeneration }) => [partition, firstGeneration])).toEqual([
      [0, 7],
      [1, 7],
    ])
    const [first, second] = pool.pids()
    process.kill(first!, 'SIGKILL')
    await eventually(() => pool.pids()[0] ?? first).not.toBe(first)
    await eventually(() => partitions(pool)).toEqual([0, 1])
    expect(notices).toEqual([
      `Worker here-0 (process ${first}) was ended by SIGKILL; it is started again in 100 ms. Nothing is lost.`,
    ])
    expect(pool.pids()[1]).toBe(second)
    pool.stop('now')
    await running
    expect(pool.pids()).toEqual([null, null])
  })

  test('hands on where the command keeps what it has compiled', async () => {
    enableCompileCache(join(tmpdir(), 'millrace-compiled-by-tests'))
    const { pool, notices, running } = poolOf('compiled', 1)
    await eventually(() => notices).toEqual([`Worker here-0: compiled in ${getCompileCacheDir()}`])
    pool.stop('now')
    await running
  })

  test('counts what a worker told last, also where that comes after its end', async () => {
    const { pool, running } = poolOf('last-word', 2)
    await eventually(() => partitions(pool)).toEqual([0, 1])
    pool.stop('now')
    await running
    expect(pool.status().map(({ records }) => records)).toEqual([999, 999])
  })

  test('waits longer each time for one that dies at once', async () => {
    const { pool, notices, running } = poolOf('restarts', 1)
    await eventually(() => notices.filter((line) => line.includes('started again')).length).toBeGreaterThanOrEqual(3)
    pool.stop('now')
    await running
    const waits = notices.flatMap((line) => line.match(/again in (\d+) ms/)?.[1] ?? [])
    expect(waits.slice(0, 3)).toEqual(['100', '200', '400'])
    expect(notices[0]).toBe('Worker here-0: the broker is away')
  })

  test('stops all, with the error that it is, when one needs a person', async () => {
    const { pool, running } = poolOf('fails', 3)
    const error = await running.catch((reason: unknown) => reason)
    expect(error).toBeInstanceOf(OffsetOutOfRangeError)
    expect(String(error)).toMatch(/worker here-\d: records 1 to 2 are gone/)
    expect(pool.pids()).toEqual([null, null, null])
  })

  test('a stop while a worker waits to be started again is the end', async () => {
    const { pool, notices, running } = poolOf('restarts', 1)
    await eventually(() => notices.length).toBeGreaterThan(1)
    pool.stop('now')
    await running
    expect(pool.pids()).toEqual([null])
  })
})
