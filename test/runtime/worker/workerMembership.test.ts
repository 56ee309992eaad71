import { describe, expect, it } from 'vitest'
import { decode } from '../../../src/operators/decode.ts'
import { ConfigurationError, OffsetOutOfRangeError, RetryableError } from '../../../src/runtime/errors.ts'
import type { AssignmentListener, LogSource } from '../../../src/runtime/log/log.ts'
import { definePipeline } from '../../../src/runtime/pipeline/pipeline.ts'
import type { Table } from '../../../src/runtime/store/table.ts'
import { Worker, type WorkerOptions } from '../../../src/runtime/worker/worker.ts'
import { type FaultKind, scriptedFaults } from '../../../src/testing/faults/faults.ts'
import { faultyCheckpointStore, Zombies } from '../../../src/testing/faults/faultyCheckpointStore.ts'
import { SimulatedProcess } from '../../../src/testing/faults/simulatedProcess.ts'
import { MemoryCheckpointStore } from '../../../src/testing/memoryCheckpointStore.ts'
import { MemoryLog } from '../../../src/testing/memoryLog.ts'
import { Random } from '../../../src/testing/random.ts'
import { VirtualClock } from '../../../src/testing/virtualClock.ts'

const seen: Table<number> = {
  name: 'seen',
  mode: 'append',
  columns: [{ name: 'value', type: 'integer', of: (value) => value }],
}

/** Each record's number into a table that is only added to, so that a repeat or a loss shows. */
const pipeline = definePipeline({
  name: 'copy',
  build: (records) => ({
    seen: {
      kind: 'rows',
      table: seen,
      values: records.pipe(decode({ decode: (record) => Number(record.valueText()) })),
    },
  }),
})

function world(partitions = 1) {
  const clock = new VirtualClock()
  const log = new MemoryLog({ topic: 'numbers', partitions, clock })
  const store = new MemoryCheckpointStore()
  let next = 0
  const add = (count: number) => {
    for (let i = 0; i < count; i++) log.add({ partition: next % partitions, value: String(next++) })
  }
  const stored = () => store.rows('seen').map(({ value }) => Number(value))
  const upTo = (count: number) => Array.from({ length: count }, (_, i) => i)
  const worker = (options: Partial<WorkerOptions> = {}) => {
    return new Worker({ pipeline, source: log, store, archive: null, clock, ...options })
  }
  return { clock, log, store, add, stored, upTo, worker }
}

/** A log whose partitions the test gives and takes. */
function shared(log: MemoryLog) {
  let listener: AssignmentListener | null = null
  const source: LogSource = {
    topic: log.topic,
    partitions: () => log.partitions(),
    reader: (partition) => log.reader(partition),
    close: () => log.close(),
    join: async (given) => {
      listener = given
      return { reportProgress: () => {}, leave: async () => listener?.onRevoke(await log.partitions()) }
    },
  }
  return {
    source,
    assign: (...partitions: number[]) => listener?.onAssign(partitions),
    revoke: async (...partitions: number[]) => listener?.onRevoke(partitions),
    lose: async (...partitions: number[]) => listener?.onLost?.(partitions),
    fail: (error: Error) => listener?.onFailed?.(error),
  }
}

describe('a worker of a log that is shared', () => {
  it('reads to the end of the log and commits it when it is asked to drain before it has joined', async () => {
    const { clock, add, stored, upTo, worker } = world()
    add(10)
    const one = worker()
    const running = one.run()
    one.stop('drain')
    await clock.run(running)
    expect(stored()).toEqual(upTo(10))
  })

  it('cuts and commits what it has when it is stopped, and the next one goes on behind it', async () => {
    const { clock, add, stored, upTo, worker } = world()
    for (let life = 1; life <= 4; life++) {
      add(5)
      const one = worker()
      const running = one.run()
      await clock.advance(10)
      one.stop('now')
      await clock.run(running)
      expect(stored()).toEqual(upTo(5 * life))
    }
  })

  it('commits by itself once in the checkpoint interval', async () => {
    const { clock, add, stored, upTo, worker } = world()
    const one = worker({ limits: { checkpointIntervalMs: 100 } })
    const running = one.run()
    add(3)
    await clock.advance(99)
    expect(stored()).toEqual([])
    await clock.advance(10)
    expect(stored()).toEqual(upTo(3))
    one.stop('now')
    await clock.run(running)
  })

  it.each(['claim-fails', 'commit-fails', 'commit-lost-reply', 'commit-slow'] satisfies FaultKind[])(
    'stores everything once although %s twice',
    async (kind) => {
      const { clock, add, store, stored, upTo, worker } = world()
      const faults = scriptedFaults({ [kind]: [1, 2] })
      const process = new SimulatedProcess(clock)
      const onViolation = (error: unknown) => expect.fail(String(error))
      const injected = { faults, random: new Random(1), process, clock, zombies: new Zombies(), onViolation }
      add(20)
      const one = worker({ store: faultyCheckpointStore(store, injected), limits: { maxUncommittedRecords: 4 } })
      const running = one.run()
      one.stop('drain')
      await clock.run(running)
      expect(stored()).toEqual(upTo(20))
      expect(faults.unreached()).toEqual([])
    },
  )

  it('says what it waits for while the store does not answer', async () => {
    const { clock, add, store, worker } = world()
    const faults = scriptedFaults({ 'claim-fails': [1, 2, 3, 4, 5] })
    const process = new SimulatedProcess(clock)
    const injected = { faults, random: new Random(1), process, clock, zombies: new Zombies(), onViolation: () => {} }
    add(1)
    const one = worker({ store: faultyCheckpointStore(store, injected) })
    const running = one.run()
    await clock.advance(500)
    expect(one.status()).toMatchObject([{ phase: 'waiting', waitingFor: expect.stringMatching(/claim.*next try in/) }])
    one.stop('now')
    await clock.run(running)
  })

  it('ends quietly, and writes nothing more, once a newer one has claimed all of its partitions', async () => {
    const { clock, add, stored, upTo, worker } = world(2)
    add(6)
    const older = worker()
    const olderRunning = older.run()
    await clock.advance(200)
    const newer = worker()
    const newerRunning = newer.run()
    add(6)
    await clock.run(olderRunning)
    expect(older.status().map(({ phase }) => phase)).toEqual(['fenced', 'fenced'])
    newer.stop('drain')
    await clock.run(newerRunning)
    expect(stored().sort((a, b) => a - b)).toEqual(upTo(12))
  })

  it('commits a partition before it lets it go, waits without one, and goes on when one comes', async () => {
    const { clock, log, add, stored, upTo, worker } = world()
    const { source, assign, revoke } = shared(log)
    const one = worker({ source })
    const running = one.run()
    await clock.settle()
    assign(0)
    add(3)
    await clock.advance(10)
    await clock.run(revoke(0))
    expect(stored()).toEqual(upTo(3))
    const told = { records: 3, outlets: { seen: 3 }, operators: [{ name: 'decode', valuesIn: 3, valuesOut: 3 }] }
    expect([one.status(), one.released()]).toMatchObject([[], [told]])
    add(3)
    await clock.advance(1_000)
    expect(stored()).toEqual(upTo(3))
    assign(0)
    await clock.advance(1_000)
    expect(stored()).toEqual(upTo(6))
    one.stop('now')
    await clock.run(running)
  })

  it('goes on with a drain when the group has given it up and takes it in again', async () => {
    const { clock, log, add, stored, upTo, worker } = world(2)
    const { source, assign, lose } = shared(log)
    const one = worker({ source })
    let hasEnded = false
    const running = one.run().then(() => {
      hasEnded = true
    })
    await clock.settle()
    assign(0, 1)
    add(5_000)
    one.stop('drain')
    await clock.run(lose(0, 1))
    await clock.advance(60_000)
    expect(hasEnded).toBe(false)
    expect(stored().length).toBeLessThan(5_000)
    assign(0, 1)
    await clock.run(running)
    expect(stored().sort((a, b) => a - b)).toEqual(upTo(5_000))
  })

  it.each(['is assigned nothing', 'is stopped'] as const)('ends a drain after that when it %s', async (how) => {
    const { clock, log, worker } = world()
    const { source, assign, lose } = shared(log)
    const one = worker({ source })
    const running = one.run()
    await clock.settle()
    assign(0)
    one.stop('drain')
    await clock.run(lose(0))
    if (how === 'is stopped') one.stop('now')
    else assign()
    await clock.run(running)
    expect(one.status()).toEqual([])
  })

  it('takes a partition back while its old task still ends', async () => {
    const { clock, log, add, stored, upTo, worker } = world()
    const { source, assign, revoke } = shared(log)
    const one = worker({ source })
    const running = one.run()
    await clock.settle()
    assign(0)
    add(3)
    await clock.advance(10)
    const leaving = revoke(0)
    assign(0)
    await clock.run(leaving)
    add(3)
    await clock.advance(1_000)
    expect(one.status()).toHaveLength(1)
    one.stop('drain')
    await clock.run(running)
    expect(stored()).toEqual(upTo(6))
  })

  it('claims a partition back that a process without it in the group has claimed, unless it was revoked by then', async () => {
    const { clock, log, store, add, stored, upTo, worker } = world(2)
    const { source, assign, revoke } = shared(log)
    const owner = worker({ source, reclaimAfterMs: 5_000 })
    const running = owner.run()
    await clock.settle()
    assign(0, 1)
    add(4)
    await clock.advance(500)
    for (const partition of [0, 1]) await store.claim({ pipeline: 'copy', topic: log.topic, partition })
    add(4)
    await clock.advance(500)
    expect(owner.status().map(({ phase }) => phase)).toEqual(['fenced', 'fenced'])
    await clock.run(revoke(1))
    await clock.advance(6_000)
    expect(owner.status()).toMatchObject([{ partition: 0, phase: 'running', generation: 3 }])
    expect(stored().sort((a, b) => a - b)).toEqual(upTo(8).filter((value) => value < 4 || value % 2 === 0))
    owner.stop('now')
    await clock.run(running)
  })

  it('ends at a stop while it waits to claim a partition back', async () => {
    const { clock, log, store, add, worker } = world()
    const { source, assign } = shared(log)
    const owner = worker({ source, reclaimAfterMs: 5_000 })
    const running = owner.run()
    await clock.settle()
    assign(0)
    await clock.advance(500)
    await store.claim({ pipeline: 'copy', topic: log.topic, partition: 0 })
    add(1)
    await clock.advance(500)
    owner.stop('drain')
    await clock.run(running)
    expect(owner.status()).toMatchObject([{ phase: 'fenced', generation: 1 }])
  })

  it('ends with the error when its membership has ended by itself, after it has committed', async () => {
    const { clock, log, add, stored, upTo, worker } = world()
    const { source, assign, fail } = shared(log)
    const running = worker({ source }).run()
    await clock.settle()
    assign(0)
    add(3)
    await clock.advance(10)
    fail(new ConfigurationError('somebody else joined as this worker'))
    await expect(clock.run(running)).rejects.toThrow('somebody else joined as this worker')
    expect(stored()).toEqual(upTo(3))
  })

  describe('whose group cannot be reached', () => {
    const away = new RetryableError('could not join group g: no coordinator')

    function unreachable(failures: number) {
      const { log, ...rest } = world()
      const { source, assign } = shared(log)
      const joins: number[] = []
      const join: LogSource['join'] = async (listener) => {
        joins.push(rest.clock.now())
        if (joins.length <= failures) throw away
        return source.join(listener)
      }
      const one = rest.worker({ source: { ...source, join } })
      return { ...rest, one, joins, assign }
    }

    it('joins again with growing waits, says what it waits for, and works once it has joined', async () => {
      const { clock, one, joins, assign, add, stored, upTo } = unreachable(3)
      const startedAt = clock.now()
      const running = one.run()
      await clock.advance(400)
      expect(one.waitingFor).toBe('could not join group g: no coordinator; next try in 400 ms')
      await clock.advance(300)
      expect(joins.map((at) => at - startedAt)).toEqual([0, 100, 300, 700])
      expect(one.waitingFor).toBe(null)
      assign(0)
      add(3)
      await clock.advance(1_000)
      expect(stored()).toEqual(upTo(3))
      one.stop('now')
      await clock.run(running)
    })

    it('ends at once at a stop, between two attempts and in mid-attempt', async () => {
      const { clock, one } = unreachable(100)
      const running = one.run()
      await clock.advance(10_000)
      const at = clock.now()
      one.stop('now')
      await clock.run(running)
      expect(clock.now()).toBe(at)

      const { worker, log } = world()
      const join = () => new Promise<never>(() => undefined)
      const other = worker({ source: { ...shared(log).source, join } })
      const otherRunning = other.run()
      other.stop('now')
      await otherRunning
      expect(other.status()).toEqual([])
    })

    it('leaves again, and starts nothing, when the group answers after the stop', async () => {
      const { clock, log, store, worker } = world()
      const answer = Promise.withResolvers<void>()
      let hasLeft = false
      const join: LogSource['join'] = async (listener) => {
        await answer.promise
        listener.onAssign([0])
        const leave = async () => {
          hasLeft = true
        }
        return { reportProgress: () => {}, leave }
      }
      const one = worker({ source: { ...shared(log).source, join } })
      const running = one.run()
      one.stop('now')
      await clock.run(running)
      answer.resolve()
      await clock.settle()
      expect(hasLeft).toBe(true)
      expect(one.status()).toEqual([])
      expect(await store.claim({ pipeline: 'copy', topic: log.topic, partition: 0 })).toMatchObject({ generation: 1 })
    })

    it('drains what there is once it has joined, when it was asked to before', async () => {
      const { clock, log, add, stored, upTo, worker } = world()
      let joins = 0
      const join: LogSource['join'] = async (listener) => {
        joins += 1
        if (joins <= 3) throw away
        return log.join(listener)
      }
      add(4)
      const one = worker({ source: { ...shared(log).source, join } })
      const running = one.run()
      await clock.advance(150)
      one.stop('drain')
      await clock.run(running)
      expect(stored()).toEqual(upTo(4))
    })

    it('rejects with what a person must look at', async () => {
      const { clock, log, worker } = world()
      const join = async () => {
        throw new ConfigurationError('the group is not ours')
      }
      const running = worker({ source: { ...shared(log).source, join } }).run()
      await expect(clock.run(running)).rejects.toThrow('the group is not ours')
    })
  })

  it('ends at a stop while it has no partition', async () => {
    const { clock, log, worker } = world()
    const one = worker({ source: shared(log).source })
    const running = one.run()
    await clock.settle()
    one.stop('drain')
    await clock.run(running)
    expect(one.status()).toEqual([])
  })

  it('stops with an error that a human must look at, after its other tasks have committed', async () => {
    const { clock, log, add, stored, worker } = world(2)
    add(4)
    const first = worker()
    const firstRunning = first.run()
    first.stop('drain')
    await clock.run(firstRunning)
    add(200)
    log.trim(1, 50)
    const failure = await clock.run(
      worker()
        .run()
        .catch((error: unknown) => error),
    )
    expect(failure).toBeInstanceOf(OffsetOutOfRangeError)
    expect(String(failure)).toMatch(/must go on at offset 2, but records 2 to 49 were deleted/)
    expect(stored().filter((value) => value % 2 === 1)).toEqual([1, 3])
  })

  it('refuses a pipeline without an outlet', async () => {
    const { clock, worker } = world()
    const empty = definePipeline({ name: 'empty', build: () => ({}) })
    await expect(clock.run(worker({ pipeline: empty }).run())).rejects.toThrow(ConfigurationError)
  })
})
