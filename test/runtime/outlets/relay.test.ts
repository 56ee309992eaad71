import { map } from 'rxjs'
import { describe, expect, it } from 'vitest'
import { decode } from '../../../src/operators/decode.ts'
import {
  ConfigurationError,
  RefusedMessageError,
  RetryableError,
  TaskFencedError,
} from '../../../src/runtime/errors.ts'
import type { Delivery, Destination } from '../../../src/runtime/log/destination.ts'
import { Relay } from '../../../src/runtime/outlets/relay.ts'
import { definePipeline } from '../../../src/runtime/pipeline/pipeline.ts'
import { defaultLimits } from '../../../src/runtime/task/workerLimits.ts'
import { Worker, type WorkerOptions } from '../../../src/runtime/worker/worker.ts'
import { toDestination } from '../../../src/sinks/toDestination.ts'
import { toTopic } from '../../../src/sinks/toTopic.ts'
import { MemoryCheckpointStore } from '../../../src/testing/memoryCheckpointStore.ts'
import { MemoryLog } from '../../../src/testing/memoryLog.ts'
import { VirtualClock } from '../../../src/testing/virtualClock.ts'

const everything = { after: 0, maxMessages: 1_000, maxBytes: 1 << 20 }
const task = { pipeline: 'alerts', topic: 'readings', partition: 0 }

/** A destination whose answers a test decides. It remembers what it took. */
class Receiver implements Destination {
  maxMessages?: number
  readonly taken: string[] = []
  readonly ids: string[] = []
  readonly batches: number[] = []
  readonly claims: string[] = []
  place: number | null = null
  closed = 0
  onClaim: () => void | Promise<void> = () => {}
  onSend: (messages: readonly Delivery[], signal: AbortSignal) => void | Promise<void> = () => {}

  async claim(part: string): Promise<number | null> {
    await this.onClaim()
    this.claims.push(part)
    return this.place
  }

  async send(messages: readonly Delivery[], place: number, signal: AbortSignal): Promise<void> {
    await this.onSend(messages, signal)
    this.batches.push(messages.length)
    for (const { id, value } of messages) {
      this.ids.push(id)
      this.taken.push(textOf(value))
    }
    if (this.place !== null) this.place = place
  }

  async close(): Promise<void> {
    this.closed += 1
  }
}

function textOf(value: Uint8Array | null): string {
  return value === null ? 'null' : Buffer.from(value).toString()
}

function setUp(count: number, over: Partial<WorkerOptions> = {}) {
  const clock = new VirtualClock()
  const log = new MemoryLog({ topic: 'readings', partitions: 1, clock })
  const add = (values: readonly string[]) => log.add(...values.map((value) => ({ value })))
  add(values(count))
  const store = new MemoryCheckpointStore()
  const receiver = new Receiver()
  const pipeline = definePipeline({
    name: 'alerts',
    build: (records) => ({
      alerts: toDestination(records.pipe(decode({ decode: (record) => record.valueText() ?? undefined })), {
        name: 'receiver',
        encode: (value) => ({ time: 0, key: null, value: Buffer.from(value) }),
        open: () => receiver,
      }),
    }),
  })
  const worker = new Worker({ pipeline, source: log, store, archive: null, clock, ...over })
  return { clock, log, store, receiver, worker, pipeline, add }
}

const values = (count: number, from = 0) => Array.from({ length: count }, (_, i) => `v${from + i}`)

/** Runs until everything is sent. */
async function drain({ worker, clock }: { worker: Worker; clock: VirtualClock }): Promise<void> {
  const running = worker.run()
  worker.stop('drain')
  await clock.run(running)
}

describe('a relay', () => {
  it('sends what was committed, in order, under ids that say what it is, and forgets it', async () => {
    const given = setUp(5)
    await drain(given)
    expect(given.receiver.taken).toEqual(values(5))
    expect(given.receiver.ids).toEqual([1, 2, 3, 4, 5].map((n) => `alerts/readings/0/alerts/${n}`))
    expect(given.receiver.claims).toEqual(['alerts/readings/0/alerts'])
    expect(given.receiver.closed).toBe(1)
    const claim = await given.store.claim(task)
    expect(await given.store.outbox.read(claim, 'alerts', everything)).toEqual([])
    const status = given.worker.status()[0]
    expect(status?.sending).toEqual([{ name: 'alerts', committed: 5, waiting: 0, refused: 0, waitingFor: null }])
  })

  it('sends as soon as something is committed, and does nothing while nothing is', async () => {
    const given = setUp(2)
    const running = given.worker.run()
    await given.clock.advance(1_000)
    expect(given.receiver.taken).toEqual(values(2))
    let reads = 0
    const { outbox } = given.store
    const read = outbox.read.bind(outbox)
    outbox.read = (...asked) => {
      reads += 1
      return read(...asked)
    }
    await given.clock.advance(60_000)
    expect(reads).toBe(0)
    given.add(['late'])
    await given.clock.advance(1_000)
    expect(given.receiver.taken).toEqual(['v0', 'v1', 'late'])
    given.worker.stop('now')
    await given.clock.run(running)
  })

  it('misses nothing that is committed while it looks', async () => {
    const given = setUp(0, { limits: { checkpointIntervalMs: 10, fetchMaxWaitMs: 10 } })
    const { outbox } = given.store
    const read = outbox.read.bind(outbox)
    outbox.read = async (...asked) => {
      const found = await read(...asked)
      await given.clock.sleep(70)
      return found
    }
    const running = given.worker.run()
    const sent: string[] = []
    for (let i = 0; i < 40; i++) {
      await given.clock.advance(i * 3)
      given.add([`v${i}`])
      sent.push(`v${i}`)
    }
    await given.clock.advance(10_000)
    expect(given.receiver.taken).toEqual(sent)
    given.worker.stop('now')
    await given.clock.run(running)
  })

  it('sends nothing that is not committed', async () => {
    const given = setUp(3)
    given.store.commit = () => Promise.reject(new RetryableError('the store does not answer'))
    const running = given.worker.run()
    await given.clock.advance(10_000)
    given.worker.stop('now')
    await given.clock.run(running)
    expect(given.receiver.taken).toEqual([])
  })

  it('tries again after what may pass, behind a new claim, and says what it waits for', async () => {
    const given = setUp(3)
    let isAway = true
    given.receiver.onSend = () => {
      if (isAway) throw new RetryableError('the receiver does not answer')
    }
    const running = given.worker.run()
    await given.clock.advance(3_000)
    const status = given.worker.status()[0]
    expect(status?.phase).toBe('running')
    expect(status?.sending[0]).toMatchObject({ committed: 3, waiting: 3 })
    expect(status?.sending[0]?.waitingFor).toMatch(/the receiver does not answer; next try in \d+ ms/)
    expect(given.receiver.claims.length).toBeGreaterThan(3)
    isAway = false
    await given.clock.advance(10_000)
    expect(given.receiver.taken).toEqual(values(3))
    expect(given.worker.status()[0]?.sending[0]).toMatchObject({ waiting: 0, waitingFor: null })
    given.worker.stop('now')
    await given.clock.run(running)
  })

  it('tries again after what the system says about a service that is away', async () => {
    const given = setUp(1)
    let failures = 2
    given.receiver.onSend = () => {
      if (failures-- > 0)
        throw Object.assign(new TypeError('fetch failed'), {
          cause: Object.assign(new Error(), { code: 'ECONNREFUSED' }),
        })
    }
    await drain(given)
    expect(given.receiver.taken).toEqual(values(1))
  })

  it('waits as long as the other side asks, but not for ever', async () => {
    const given = setUp(1)
    const times: number[] = []
    const asks = [30_000, 10_000_000]
    given.receiver.onSend = () => {
      times.push(given.clock.now())
      const retryAfterMs = asks.shift()
      if (retryAfterMs !== undefined) throw new RetryableError('later', { retryAfterMs })
    }
    await drain(given)
    expect(times.slice(1).map((time, i) => time - times[i]!)).toEqual([30_000, 300_000])
    expect(given.receiver.taken).toEqual(values(1))
  })

  it('goes on behind the place that the destination has kept, whatever the outbox still holds', async () => {
    const given = setUp(4)
    given.receiver.place = 0
    let isFirst = true
    const { outbox } = given.store
    const forget = outbox.forget.bind(outbox)
    outbox.forget = (...asked) => {
      if (isFirst) {
        isFirst = false
        return Promise.reject(new RetryableError('the reply was lost'))
      }
      return forget(...asked)
    }
    await drain(given)
    expect(given.receiver.taken).toEqual(values(4))
    expect(given.receiver.claims).toHaveLength(2)
    expect(await outbox.read(await given.store.claim(task), 'alerts', everything)).toEqual([])
  })

  it('cuts what it sends to what the destination takes at once', async () => {
    const given = setUp(7)
    given.receiver.maxMessages = 3
    await drain(given)
    expect(given.receiver.batches).toEqual([3, 3, 1])
    expect(given.receiver.taken).toEqual(values(7))
  })

  it('keeps what it has sent one by one when the next one fails', async () => {
    const given = setUp(6)
    given.receiver.maxMessages = 1
    let failures = 3
    given.receiver.onSend = ([message]) => {
      if (textOf(message!.value) === 'v4' && failures-- > 0) throw new RetryableError('away')
    }
    await drain(given)
    expect(given.receiver.taken).toEqual(values(6))
  })

  it('waits no longer for having failed before, as long as messages get through between', async () => {
    const given = setUp(40)
    given.receiver.maxMessages = 1
    const startedAt = given.clock.now()
    let calls = 0
    given.receiver.onSend = () => {
      if (++calls % 2 === 0) throw new RetryableError('not this one')
    }
    await drain(given)
    expect(given.receiver.taken).toEqual(values(40))
    // Each of 39 messages failed once; waits that doubled would be minutes.
    expect(given.clock.now() - startedAt).toBeLessThan(39 * defaultLimits.retryFirstMs + 2_000)
  })

  it('lets the task wait where more is committed than may wait', async () => {
    const given = setUp(1_000, { limits: { maxWaitingMessages: 100, maxUncommittedResults: 50, fetchMaxBytes: 100 } })
    given.log.add(...values(5_000).map((value) => ({ value })))
    let isAway = true
    given.receiver.onSend = () => {
      if (isAway) throw new RetryableError('away')
    }
    const running = given.worker.run()
    await given.clock.advance(60_000)
    const status = given.worker.status()[0]
    expect(status?.sending[0]?.waiting).toBeGreaterThanOrEqual(100)
    expect(status?.sending[0]?.waiting).toBeLessThan(2_100)
    expect(status?.waitingFor).toMatch(/^outlet alerts: away/)
    const { nextOffset } = status!
    await given.clock.advance(60_000)
    expect(given.worker.status()[0]?.nextOffset).toBe(nextOffset)
    isAway = false
    given.worker.stop('drain')
    await given.clock.run(running)
    expect(given.receiver.taken).toHaveLength(6_000)
    expect(new Set(given.receiver.ids).size).toBe(6_000)
  })

  it('ends the worker with what cannot pass', async () => {
    const given = setUp(1)
    given.receiver.onSend = () => {
      throw new ConfigurationError('no such place')
    }
    const running = given.worker.run()
    running.catch(() => undefined)
    await expect(given.clock.run(running)).rejects.toThrow('no such place')
    expect(given.receiver.closed).toBe(1)
  })

  it('refuses a destination that has taken more than the store knows of, and says what to do', async () => {
    const given = setUp(3)
    given.receiver.place = 8
    const running = given.worker.run()
    running.catch(() => undefined)
    await expect(given.clock.run(running)).rejects.toThrow(
      /outlet alerts: its destination has taken 8 messages.*checkpoint store knew of 0 when it was claimed: .*lacks the last transactions.*Bring the newer database back/,
    )
    expect(given.receiver.taken).toEqual([])
  })
})

describe('a store that lacks what the destination has taken', () => {
  it('is refused, and no message is taken for one that was sent, however many are made meanwhile', async () => {
    const given = setUp(5)
    given.receiver.place = 3
    // The destination is slow to say where it is, and the task has made other messages under its numbers by then.
    given.receiver.onClaim = () => given.clock.sleep(5_000)
    const running = given.worker.run()
    running.catch(() => undefined)
    await expect(given.clock.run(running)).rejects.toThrow(/has taken 3 messages.*knew of 0 when it was claimed/)
    const claim = await given.store.claim(task)
    expect(await given.store.outbox.read(claim, 'alerts', everything)).toHaveLength(5)
    expect(given.receiver.taken).toEqual([])
  })
})

describe('the end of a task with outlets', () => {
  it('is there after everything is sent, when it drains, however long that takes', async () => {
    const given = setUp(3)
    let failures = 20
    given.receiver.onSend = () => {
      if (failures-- > 0) throw new RetryableError('away')
    }
    await drain(given)
    expect(given.receiver.taken).toEqual(values(3))
  })

  it('comes soon when it is meant to come at once, and the next start sends the rest', async () => {
    const given = setUp(3)
    let isAway = true
    given.receiver.onSend = () => {
      if (isAway) throw new RetryableError('away')
    }
    const running = given.worker.run()
    await given.clock.advance(1_000)
    const asked = given.clock.now()
    given.worker.stop('now')
    await given.clock.run(running)
    expect(given.clock.now() - asked).toBeLessThanOrEqual(2_500)
    isAway = false
    const { store, log, clock, pipeline } = given
    await drain({ clock, worker: new Worker({ pipeline, source: log, store, archive: null, clock }) })
    expect(given.receiver.taken).toEqual(values(3))
  })

  it('sends what the last checkpoint of a stop has brought', async () => {
    const given = setUp(3, { limits: { checkpointIntervalMs: 60_000 } })
    const running = given.worker.run()
    await given.clock.advance(1_000)
    expect(given.receiver.taken).toEqual([])
    given.worker.stop('now')
    await given.clock.run(running)
    expect(given.receiver.taken).toEqual(values(3))
  })
})

describe('two that believe they own a task', () => {
  it('end with the newer one, whoever claimed the destination last', async () => {
    const given = setUp(4)
    given.receiver.place = 0
    let holder = 0
    /** A destination that turns away whoever was not the last to claim. */
    const fencing = (me: number): Destination => ({
      claim: (part) => {
        holder = me
        return given.receiver.claim(part)
      },
      send: async (messages, place, signal) => {
        if (holder !== me) throw new TaskFencedError('claimed by another one')
        await given.receiver.send(messages, place, signal)
      },
      close: async () => {},
    })
    let opened = 0
    const pipeline = definePipeline({
      name: 'alerts',
      build: (records) => ({
        alerts: toDestination(records.pipe(decode({ decode: (record) => record.valueText() ?? undefined })), {
          name: 'receiver',
          encode: (value) => ({ time: 0, key: null, value: Buffer.from(value) }),
          open: () => fencing(++opened),
        }),
      }),
    })
    const { store, log, clock } = given
    const options = { pipeline, source: log, store, archive: null, clock }
    const older = new Worker(options)
    const olderRuns = older.run()
    await clock.advance(1_000)
    const newer = new Worker(options)
    const newerRuns = newer.run()
    await clock.advance(1_000)
    // As a process does that slept.
    holder = 1
    given.add(values(4, 4))
    await clock.advance(30_000)
    expect(older.status()[0]?.phase).toBe('fenced')
    expect(given.receiver.taken).toEqual(values(8))
    newer.stop('drain')
    older.stop('now')
    await clock.run(Promise.all([olderRuns, newerRuns]))
    expect(given.receiver.taken).toEqual(values(8))
  })
})

describe('a relay whose task has a newer claim', () => {
  it('ends before it sends anything, and says so', async () => {
    const { store, receiver, clock } = setUp(0)
    const older = await store.claim(task)
    const { outbox } = store
    const messages = [{ sequence: 1, time: 0, key: null, value: Buffer.from('v0') }]
    outbox.add(task, { outlet: 'alerts', messages })
    receiver.onSend = () => {
      throw new RetryableError('away')
    }
    const relay = new Relay({
      claim: older,
      outlet: 'alerts',
      outbox,
      destination: receiver,
      clock,
      limits: defaultLimits,
      committed: 1,
    })
    await clock.advance(1_000)
    relay.check()
    const newer = await store.claim(task)
    receiver.onSend = () => {}
    await clock.advance(60_000)
    expect(receiver.taken).toEqual([])
    expect(() => relay.check()).toThrow(TaskFencedError)
    expect(relay.hasRoom).toBe(true)
    await relay.close()
    expect(await outbox.read(newer, 'alerts', everything)).toHaveLength(1)
  })
})

describe('a value that cannot be encoded', () => {
  const encoding = (encode: (value: string) => Buffer, onError?: 'stop', timeOf = (_value: string) => 0) => {
    const given = setUp(3)
    const pipeline = definePipeline({
      name: 'alerts',
      ...(onError === undefined ? {} : { onError }),
      build: (records) => ({
        alerts: toDestination(records.pipe(decode({ decode: (record) => record.valueText() ?? undefined })), {
          name: 'receiver',
          encode: (value) => ({ time: timeOf(value), key: null, value: encode(value) }),
          open: () => given.receiver,
        }),
      }),
    })
    const { store, log, clock } = given
    return { ...given, worker: new Worker({ pipeline, source: log, store, archive: null, clock }) }
  }
  const failing = (error: Error) => (value: string) => {
    if (value === 'v1') throw error
    return Buffer.from(value)
  }

  it('is set aside and takes no number', async () => {
    const given = encoding(failing(new TypeError('no bytes')))
    await drain(given)
    expect(given.receiver.taken).toEqual(['v0', 'v2'])
    expect(given.receiver.ids.at(-1)).toBe('alerts/readings/0/alerts/2')
    expect(given.store.deadLetters()).toMatchObject([
      { offset: 1, operator: 'outlet alerts', reason: 'bad-message', detail: 'no bytes' },
    ])
  })

  it('is set aside where no log has a time for it, and is not what every start fails to send', async () => {
    for (const time of [2 ** 51 + 2, -(2 ** 52), Number.MAX_SAFE_INTEGER, 0.5, Number.NaN]) {
      const given = encoding(Buffer.from, undefined, (value) => (value === 'v1' ? time : -(2 ** 51)))
      await drain(given)
      expect(given.receiver.taken).toEqual(['v0', 'v2'])
      const detail = `its time is ${time}, not a whole number of ms within 2251799813685248 of 1970`
      expect(given.store.deadLetters()).toMatchObject([{ offset: 1, reason: 'bad-message', detail }])
    }
  })

  it('ends a pipeline that says so, and any where the error says what to do', async () => {
    await expect(drain(encoding(failing(new TypeError('no bytes')), 'stop'))).rejects.toThrow(
      /pipeline alerts failed at offset 1: no bytes/,
    )
    const wrong = new ConfigurationError('the codec cannot write')
    await expect(drain(encoding(failing(wrong)))).rejects.toBe(wrong)
  })
})

describe('an outlet that is taken out of a pipeline and comes back', () => {
  it('goes on with its numbers', async () => {
    const given = setUp(2)
    await drain(given)
    const { store, log, clock, pipeline, receiver, add } = given
    const without = definePipeline({
      name: 'alerts',
      build: (records) => ({
        other: toDestination(records.pipe(decode({ decode: (record) => record.valueText() ?? undefined })), {
          name: 'other',
          encode: (value) => ({ time: 0, key: null, value: Buffer.from(value) }),
          open: () => new Receiver(),
        }),
      }),
    })
    const run = async (now: typeof pipeline | typeof without) => {
      await drain({ clock, worker: new Worker({ pipeline: now, source: log, store, archive: null, clock }) })
    }
    add(['between'])
    await run(without)
    add(['back'])
    await run(pipeline)
    expect(receiver.taken).toEqual(['v0', 'v1', 'back'])
    expect(receiver.ids.at(-1)).toBe('alerts/readings/0/alerts/3')
  })
})

describe('a message that is refused', () => {
  it.each([
    ['alone', 1],
    ['among others, where the destination says which', 100],
  ])('%s is set aside, and those behind it go on', async (_name, maxMessages) => {
    const given = setUp(5)
    given.receiver.maxMessages = maxMessages
    given.receiver.onSend = (messages) => {
      const bad = messages.find(({ value }) => textOf(value) === 'v2')
      if (bad !== undefined) throw new RefusedMessageError('422: no', { id: bad.id })
    }
    await drain(given)
    expect(given.receiver.taken).toEqual(['v0', 'v1', 'v3', 'v4'])
    const refused = await given.store.outbox.refused(task, 'alerts', everything)
    expect(refused.map(({ sequence, value, refusal }) => [sequence, textOf(value), refusal])).toEqual([
      [3, 'v2', '422: no'],
    ])
    expect(given.worker.status()[0]?.sending[0]).toMatchObject({ committed: 5, waiting: 0, refused: 1 })
  })

  it('is found among others where the destination does not say which', async () => {
    const given = setUp(5)
    given.receiver.onSend = (messages) => {
      if (messages.some(({ value }) => textOf(value) === 'v2')) throw new RefusedMessageError('422: no')
    }
    await drain(given)
    expect(given.receiver.taken).toEqual(['v0', 'v1', 'v3', 'v4'])
  })

  it('is sent again when somebody asks, under its id, also by a later start', async () => {
    const given = setUp(3)
    let isStrict = true
    given.receiver.onSend = (messages) => {
      if (isStrict && messages.some(({ value }) => textOf(value) !== 'v1')) throw new RefusedMessageError('no')
    }
    const running = given.worker.run()
    await given.clock.advance(1_000)
    expect(given.receiver.taken).toEqual(['v1'])
    expect(await given.store.outbox.retryRefused(task, 'alerts', [1])).toBe(1)
    await given.clock.advance(10_000)
    expect(given.receiver.taken).toEqual(['v1'])
    const [again] = await given.store.outbox.refused(task, 'alerts', everything)
    expect(again).toMatchObject({ sequence: 1, isRetried: false })
    isStrict = false
    await given.store.outbox.retryRefused(task, 'alerts', [3])
    await given.clock.advance(10_000)
    expect(given.receiver.taken).toEqual(['v1', 'v2'])
    given.worker.stop('now')
    await given.clock.run(running)
    await given.store.outbox.retryRefused(task, 'alerts')
    const { store, log, clock, pipeline } = given
    await drain({ clock, worker: new Worker({ pipeline, source: log, store, archive: null, clock }) })
    expect(given.receiver.taken).toEqual(['v1', 'v2', 'v0'])
    expect(given.receiver.ids.at(-1)).toBe('alerts/readings/0/alerts/1')
    expect(await store.outbox.countRefused(task, 'alerts')).toBe(0)
  })
})

describe('an outlet to a topic', () => {
  const into = (log: MemoryLog | null) => {
    const given = setUp(3)
    const pipeline = definePipeline({
      name: 'alerts',
      build: (records) => ({
        alerts: toTopic(records.pipe(decode({ decode: (record) => record.valueText() ?? undefined }), map(String)), {
          topic: 'alerts',
          encode: (value) => value,
          at: () => 7,
        }),
      }),
    })
    const { store, clock } = given
    const opened = log === null ? {} : { openTopic: async () => log.outgoing() }
    const worker = new Worker({ pipeline, source: given.log, store, archive: null, clock, ...opened })
    return { ...given, worker }
  }

  it('is refused where nobody says how topics are opened', async () => {
    const given = into(null)
    await expect(drain(given)).rejects.toThrow(/outlet alerts sends to topic alerts.*openTopic/)
  })

  it('is refused where somebody else appends under its name', async () => {
    const log = new MemoryLog({ topic: 'alerts' })
    const writer = log.writer()
    await writer.claim('alerts/readings/0/alerts')
    await writer.append([], '1.5')
    await expect(drain(into(log))).rejects.toThrow(/position "1.5", which is no count/)
  })
})
