import { createHash } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { RetryableError, TaskFencedError } from '../../../src/runtime/errors.ts'
import { RecordView } from '../../../src/runtime/log/record.ts'
import type { Checkpoint, CheckpointStore, TaskId } from '../../../src/runtime/store/checkpoint.ts'
import { type FaultKind, noFaults, scriptedFaults, seededFaults } from '../../../src/testing/faults/faults.ts'
import { faultyCheckpointStore, Zombies } from '../../../src/testing/faults/faultyCheckpointStore.ts'
import { faultyLog } from '../../../src/testing/faults/faultyLog.ts'
import { faultyObjectStore } from '../../../src/testing/faults/faultyObjectStore.ts'
import { faultyDestination, faultyTopic } from '../../../src/testing/faults/faultySending.ts'
import { SimulatedProcess } from '../../../src/testing/faults/simulatedProcess.ts'
import { MemoryCheckpointStore } from '../../../src/testing/memoryCheckpointStore.ts'
import { MemoryLog } from '../../../src/testing/memoryLog.ts'
import { MemoryObjectStore } from '../../../src/testing/memoryObjectStore.ts'
import { Random } from '../../../src/testing/random.ts'
import { VirtualClock } from '../../../src/testing/virtualClock.ts'

const task: TaskId = { pipeline: 'p', topic: 't', partition: 0 }
const at = (nextOffset: number): Checkpoint => ({
  nextOffset,
  watermark: null,
  archiveNextOffset: null,
  state: { kind: 'base', body: '' },
  writes: [],
  deadLetters: [],
  objects: [],
  idleAdvances: [],
})

/** The smallest store that fences. */
function plainStore(isFencing = true) {
  const stored: number[] = []
  let generation = 0
  const store: CheckpointStore = {
    claim: async () => ({ task, generation: ++generation, restored: null }),
    commit: async (claim, checkpoint) => {
      if (isFencing && claim.generation !== generation) throw new TaskFencedError('claimed by a newer generation')
      stored.push(checkpoint.nextOffset)
    },
    recordedSteps: async () => [],
    mergeNotes: async () => [],
    answers: async () => [],
    outbox: new MemoryCheckpointStore().outbox,
    close: async () => {},
  }
  return { store, stored }
}

function world(script: Partial<Record<FaultKind, readonly number[]>> = {}, isFencing = true) {
  const clock = new VirtualClock()
  const faults = scriptedFaults(script)
  const zombies = new Zombies()
  const violations: unknown[] = []
  const { store, stored } = plainStore(isFencing)
  const random = new Random(1)
  const start = () => {
    const process = new SimulatedProcess(clock)
    const onViolation = (error: unknown) => violations.push(error)
    const wrapped = faultyCheckpointStore(store, { faults, random, process, clock, zombies, onViolation })
    return { process, store: wrapped }
  }
  return { clock, faults, zombies, violations, stored, start }
}

/** What came of the work by the time that everything which can happen has happened: a word or a reason. */
async function outcome(clock: VirtualClock, work: Promise<unknown>): Promise<string> {
  let word = 'nothing'
  work.then(
    () => {
      word = 'done'
    },
    (error: unknown) => {
      word = error instanceof Error ? error.name : String(error)
    },
  )
  await clock.advance(60_000)
  return word
}

describe('faulty checkpoint store', () => {
  it.each([
    ['crash-before-commit', 'nothing', []],
    ['crash-after-commit', 'nothing', [1]],
    ['crash-during-commit', 'nothing', [1]],
    ['zombie-commit', 'nothing', []],
    ['commit-fails', 'RetryableError', []],
    ['commit-lost-reply', 'RetryableError', [1]],
    ['commit-slow', 'done', [1]],
  ] as const)('%s: the caller sees %s, the store holds %j', async (kind, seen, held) => {
    const { clock, stored, start, faults } = world({ [kind]: [1] })
    const { process, store } = start()
    const claim = await clock.run(store.claim(task))
    expect(await outcome(clock, store.commit(claim, at(1)))).toBe(seen)
    expect(stored).toEqual(held)
    expect(process.isAlive).toBe(seen !== 'nothing')
    expect(faults.counts.get(kind)).toBe(1)
    expect(faults.unreached()).toEqual([])
  })

  it('lets nothing of a crashed process go on: no reply, no error, no waking', async () => {
    const { clock, start } = world({ 'crash-before-commit': [1] })
    const { process, store } = start()
    const claim = await clock.run(store.claim(task))
    const asleep = process.clock.sleep(1_000)
    void store.commit(claim, at(1))
    expect(await clock.run(process.crashed)).toBe('before a commit')
    expect(await outcome(clock, asleep)).toBe('nothing')
    expect(await outcome(clock, store.claim(task))).toBe('nothing')
  })

  it('brings a zombie back after a newer claim, and a store that fences turns it away', async () => {
    const { clock, stored, start, zombies, violations } = world({ 'zombie-commit': [1] })
    const first = start()
    void first.store.commit(await clock.run(first.store.claim(task)), at(7))
    await clock.settle()
    const second = start()
    await clock.run(second.store.commit(await clock.run(second.store.claim(task)), at(3)))
    expect(stored).toEqual([3])
    expect(zombies.fenced).toBe(1)
    expect(violations).toEqual([])
  })

  it('reports a store that takes the commit of a zombie', async () => {
    const { clock, start, violations } = world({ 'zombie-commit': [1] }, false)
    const first = start()
    void first.store.commit(await clock.run(first.store.claim(task)), at(7))
    await clock.settle()
    const second = start()
    await clock.run(second.store.commit(await clock.run(second.store.claim(task)), at(3)))
    expect(String(violations[0])).toMatch(/took a commit of generation 1 of t\/0 after generation 2/)
  })

  it('fails a claim', async () => {
    const { clock, start } = world({ 'claim-fails': [1] })
    expect(await outcome(clock, start().store.claim(task))).toBe('RetryableError')
  })
})

describe('faults', () => {
  it('strike by the seed alone, whatever else is asked', () => {
    const strikes = (asksOther: boolean) => {
      const faults = seededFaults(new Random(3), { rates: { 'put-fails': 0.3, 'fetch-fails': 0.3 }, limit: 1_000 })
      return Array.from({ length: 50 }, () => {
        if (asksOther) faults.strikes('fetch-fails')
        return faults.strikes('put-fails')
      })
    }
    expect(strikes(true)).toEqual(strikes(false))
    expect(strikes(true)).toContain(true)
  })

  it('end at the limit', () => {
    const faults = seededFaults(new Random(3), { rates: { 'put-fails': 1 }, limit: 2 })
    expect([1, 2, 3].map(() => faults.strikes('put-fails'))).toEqual([true, true, false])
    expect(faults.counts.get('put-fails')).toBe(2)
  })

  it('name what a script never reached', () => {
    const faults = scriptedFaults({ 'crash-after-commit': [1, 9] })
    faults.strikes('crash-after-commit')
    expect(faults.unreached()).toEqual(['crash-after-commit at occasion 9: there were only 1'])
    expect(noFaults.strikes('put-fails')).toBe(false)
  })
})

describe('faulty object store', () => {
  const body = Buffer.from('records')
  const sha256 = createHash('sha256').update(body).digest('hex')
  const objects = (kind: FaultKind, seed = 1) => {
    const clock = new VirtualClock()
    const inner = new MemoryObjectStore()
    const process = new SimulatedProcess(clock)
    const faults = scriptedFaults({ [kind]: [1] })
    return {
      clock,
      inner,
      process,
      store: faultyObjectStore(inner, { faults, random: new Random(seed), process, clock }),
    }
  }

  it.each([
    ['put-fails', 'RetryableError', false],
    ['put-refused', 'RetryableError', false],
    ['put-lost-reply', 'RetryableError', true],
    ['put-slow', 'done', true],
  ] as const)('%s: the caller sees %s, the object is there: %s', async (kind, seen, isThere) => {
    const { clock, inner, store } = objects(kind)
    expect(await outcome(clock, store.put('k', body, sha256))).toBe(seen)
    expect((await inner.get('k')) !== null).toBe(isThere)
    expect(await outcome(clock, store.put('k', body, sha256))).toBe('done')
  })

  it('refuses for a while, not for ever', async () => {
    const { clock, store } = objects('put-refused')
    await expect(store.put('a', body, sha256)).rejects.toThrow(RetryableError)
    await expect(store.put('b', body, sha256)).rejects.toThrow(/full/)
    await clock.advance(20_000)
    await store.put('b', body, sha256)
  })

  it('crashes during an upload, which may have arrived or not', async () => {
    const arrived = new Set<boolean>()
    for (let seed = 0; seed < 10; seed++) {
      const { clock, inner, process, store } = objects('crash-during-put', seed)
      expect(await outcome(clock, store.put('k', body, sha256))).toBe('nothing')
      expect(process.isAlive).toBe(false)
      arrived.add((await inner.get('k')) !== null)
    }
    expect(arrived.size).toBe(2)
  })
})

describe('faulty sending', () => {
  const message = { partition: 0, timestamp: 1, key: null, value: Buffer.from('sent') }
  const sending = (kind: FaultKind, seed = 1) => {
    const clock = new VirtualClock()
    const log = new MemoryLog({ clock })
    const process = new SimulatedProcess(clock)
    const options = { faults: scriptedFaults({ [kind]: [2] }), random: new Random(seed), process, clock }
    const got: string[] = []
    const destination = faultyDestination(
      {
        maxMessages: 3,
        claim: async () => null,
        send: async (messages) => void got.push(...messages.map(({ id }) => id)),
        close: async () => undefined,
      },
      options,
    )
    return { clock, log, process, got, destination, topic: faultyTopic(log.outgoing(), options) }
  }
  const delivery = { id: 'a/1', time: 1, key: null, value: null }
  const { signal } = new AbortController()
  const nextOf = async (log: MemoryLog) => (await log.reader(0).bounds()).next

  it.each([
    ['send-fails', 'RetryableError', false],
    ['send-lost-reply', 'RetryableError', true],
    ['send-slow', 'done', true],
  ] as const)('%s: the sender sees %s, it has arrived: %s', async (kind, seen, hasArrived) => {
    const { clock, log, topic } = sending(kind)
    await topic.writer.claim('p')
    expect(await outcome(clock, topic.writer.append([message], '1'))).toBe(seen)
    expect(await nextOf(log)).toBe(hasArrived ? 1 : 0)
    const { clock: other, got, destination } = sending(kind)
    await destination.claim('p')
    expect(destination.maxMessages).toBe(3)
    expect(await outcome(other, destination.send([delivery], 1, signal))).toBe(seen)
    expect(got.length).toBe(hasArrived ? 1 : 0)
  })

  it('crashes while it sends, and what was under way arrives later or not at all, never over a newer claim', async () => {
    const arrived = new Set<number>()
    for (let seed = 0; seed < 20; seed++) {
      const { clock, log, process, topic } = sending('crash-during-send', seed)
      await topic.writer.claim('p')
      const appended = outcome(clock, topic.writer.append([message], '1'))
      const isClaimed = seed % 2 === 1
      if (isClaimed) await log.outgoing().writer.claim('p')
      expect(await appended).toBe('nothing')
      expect(process.isAlive).toBe(false)
      await clock.advance(1_000)
      if (isClaimed) expect(await nextOf(log)).toBe(0)
      else arrived.add(await nextOf(log))
    }
    expect([...arrived].sort()).toEqual([0, 1])
  })
})

describe('faulty log', () => {
  it('may say late where it ends', async () => {
    const clock = new VirtualClock()
    const faults = scriptedFaults({ 'bounds-slow': [1] })
    const process = new SimulatedProcess(clock)
    const log = faultyLog(new MemoryLog({ clock }), { faults, random: new Random(1), process, clock, maxBytes: 100 })
    const before = clock.now()
    expect(await outcome(clock, log.reader(0).bounds())).toBe('done')
    expect(clock.now()).toBeGreaterThan(before)
  })

  it('hands over every record once and in order, however it is cut up', async () => {
    for (let seed = 0; seed < 20; seed++) {
      const clock = new VirtualClock()
      const random = new Random(seed)
      const inner = new MemoryLog({ topic: 't', batchRecords: 7, clock })
      inner.add(...Array.from({ length: 100 }, (_, i) => ({ value: String(i) })))
      const rates = { 'fetch-fails': 0.1, 'fetch-slow': 0.1, 'fetch-empty': 0.1, 'fetch-short': 0.5 }
      const faults = seededFaults(random, { rates, limit: 1_000 })
      const process = new SimulatedProcess(clock)
      const reader = faultyLog(inner, { faults, random, process, clock, maxBytes: 500 }).reader(0)
      const seen: string[] = []
      const work = async () => {
        const view = new RecordView()
        while (seen.length < 100) {
          const batch = await reader.fetch({ maxBytes: 1 << 20, maxWaitMs: 100 }).catch((error: unknown) => {
            expect(error).toBeInstanceOf(RetryableError)
            return null
          })
          while (batch?.read(view) === true) {
            expect(view.offset).toBe(seen.length)
            seen.push(view.valueText() ?? '')
          }
          if (batch !== null) expect(batch.nextOffset).toBe(seen.length)
        }
      }
      await clock.run(work())
      expect(seen).toEqual(Array.from({ length: 100 }, (_, i) => String(i)))
      expect(faults.counts.get('fetch-short')).toBeGreaterThan(0)
    }
  })

  it('takes a partition away and gives it back', async () => {
    const clock = new VirtualClock()
    const inner = new MemoryLog({ topic: 't', clock })
    inner.add({ value: '1' })
    const process = new SimulatedProcess(clock)
    const faults = scriptedFaults({ rebalance: [1] })
    const log = faultyLog(inner, { faults, random: new Random(1), process, clock, maxBytes: 500 })
    const events: string[] = []
    await log.join({
      onAssign: (partitions) => void events.push(`assign ${partitions}`),
      onRevoke: async (partitions) => void events.push(`revoke ${partitions}`),
    })
    await log.reader(0).fetch({ maxBytes: 500, maxWaitMs: 0 })
    await clock.advance(1_000)
    expect(events).toEqual(['assign 0', 'revoke 0', 'assign 0'])
  })
})
