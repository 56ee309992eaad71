import { map } from 'rxjs'
import { describe, expect, it } from 'vitest'
import { textCodec } from '../../../src/codecs/textCodec.ts'
import { decode } from '../../../src/operators/decode.ts'
import { ConfigurationError, RetryableError } from '../../../src/runtime/errors.ts'
import { type StartFrom, startOffset } from '../../../src/runtime/log/startFrom.ts'
import { definePipeline } from '../../../src/runtime/pipeline/pipeline.ts'
import { Worker } from '../../../src/runtime/worker/worker.ts'
import { toPostgres } from '../../../src/sinks/toPostgres.ts'
import { MemoryCheckpointStore } from '../../../src/testing/memoryCheckpointStore.ts'
import { MemoryLog } from '../../../src/testing/memoryLog.ts'
import { VirtualClock } from '../../../src/testing/virtualClock.ts'

const pipeline = definePipeline({
  name: 'copy',
  build: (records) => ({
    values: toPostgres(
      records.pipe(
        decode(textCodec()),
        map((value) => ({ value })),
      ),
      { mode: 'append', name: 'copied', columns: [{ name: 'value', type: 'text', of: (row) => row.value }] },
    ),
  }),
})

/** Two partitions with records of 100, 200, …; the second one has fewer. */
function world() {
  const clock = new VirtualClock()
  const log = new MemoryLog({ topic: 'letters', partitions: 2, clock })
  const add = (partition: number, ...times: number[]) =>
    log.add(...times.map((timestamp) => ({ partition, timestamp, value: `${partition}@${timestamp}` })))
  add(0, 100, 200, 300, 400)
  add(1, 150, 350)
  const store = new MemoryCheckpointStore()
  const copied = () =>
    store
      .rows('copied')
      .map(({ value }) => String(value))
      .sort()
  const run = async (from: StartFrom | undefined, meanwhile: () => void = () => {}, runs = pipeline) => {
    const worker = new Worker({
      pipeline: runs,
      source: log,
      store,
      archive: null,
      clock,
      ...(from === undefined ? {} : { from }),
    })
    const live = async () => {
      const running = worker.run()
      // It may end with an error before it is waited for.
      running.catch(() => undefined)
      await clock.sleep(1_000)
      meanwhile()
      await clock.sleep(1_000)
      worker.stop('drain')
      await running
    }
    await clock.run(live())
  }
  return { log, add, store, copied, run }
}

describe('a first start', () => {
  it.each<[string, StartFrom | undefined, readonly string[]]>([
    ['nothing said', undefined, ['0@100', '0@200', '0@300', '0@400', '1@150', '1@350']],
    ['earliest', 'earliest', ['0@100', '0@200', '0@300', '0@400', '1@150', '1@350']],
    ['latest', 'latest', []],
    ['a time', { time: 200 }, ['0@200', '0@300', '0@400', '1@350']],
    ['a time after all', { time: 500 }, []],
    ['an offset', { offset: 1 }, ['0@200', '0@300', '0@400', '1@350']],
  ])('with %s begins there in each partition, and gets what comes later', async (_what, from, before) => {
    const { add, copied, run } = world()
    await run(from, () => add(1, 600))
    expect(copied()).toEqual([...before, '1@600'])
  })

  it('begins with what is left where the beginning of the log is gone', async () => {
    const { log, copied, run } = world()
    log.trim(0, 3)
    await run({ time: 100 })
    expect(copied()).toEqual(['0@400', '1@150', '1@350'])
  })

  it('is refused at an offset that the log does not have, with what it has', async () => {
    await expect(world().run({ offset: 3 })).rejects.toThrow(/letters\/1 holds offsets 0 to 2 .*choose one of them/s)
  })
})

describe('a later start', () => {
  it('goes on at the checkpoint, whatever is said', async () => {
    const { add, copied, run } = world()
    await run({ time: 300 })
    add(0, 500)
    await run('latest')
    await run({ time: 100 })
    expect(copied()).toEqual(['0@300', '0@400', '0@500', '1@350'])
  })

  it('begins there in a partition that has no checkpoint yet', async () => {
    const { log, add, copied, run } = world()
    await run({ time: 300 })
    log.growTo(3)
    add(2, 100, 300)
    await run({ time: 300 }, undefined, definePipeline({ ...pipeline, partitionGrowth: 'allow' }))
    expect(copied()).toEqual(['0@300', '0@400', '1@350', '2@300'])
  })

  it('after a crash before anything was committed begins where the first would have', async () => {
    const { store, copied, run } = world()
    const commit = store.commit.bind(store)
    let failures = 3
    store.commit = async (claim, checkpoint) => {
      if (failures-- > 0) throw new RetryableError('the store does not answer')
      return commit(claim, checkpoint)
    }
    await run({ time: 300 })
    expect(copied()).toEqual(['0@300', '0@400', '1@350'])
  })
})

describe('the place to start from', () => {
  const task = { pipeline: 'copy', topic: 'letters', partition: 0 }
  const reader = new MemoryLog().reader(0)

  it('is no offset for a task with several inputs', async () => {
    const several = { ...task, otherTopics: ['more'] }
    await expect(startOffset({ offset: 0 }, reader, several)).rejects.toThrow(/several topics.*start from a time/)
    await expect(startOffset({ time: 5 }, reader, several)).resolves.toBe(0)
  })

  it.each<StartFrom>([{ time: -1 }, { time: 0.5 }, { offset: Number.NaN }, { offset: -2 }])(
    'is a whole number from 0 up, and not %o',
    async (from) => {
      await expect(startOffset(from, reader, task)).rejects.toBeInstanceOf(ConfigurationError)
    },
  )
})
