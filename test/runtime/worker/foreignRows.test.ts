import { map, mergeAll, type Observable } from 'rxjs'
import { describe, expect, it } from 'vitest'
import { aggregateWindow } from '../../../src/operators/aggregateWindow.ts'
import { batchFlush } from '../../../src/operators/batchFlush.ts'
import { decode } from '../../../src/operators/decode.ts'
import { eventTime } from '../../../src/operators/eventTime.ts'
import { mapAsync } from '../../../src/operators/mapAsync.ts'
import { sessionWindow } from '../../../src/operators/sessionWindow.ts'
import { tumblingWindow } from '../../../src/operators/tumblingWindow.ts'
import { ConfigurationError } from '../../../src/runtime/errors.ts'
import { redriveHeader } from '../../../src/runtime/log/record.ts'
import { definePipeline, type Pipeline } from '../../../src/runtime/pipeline/pipeline.ts'
import type { Checkpoint, Claim } from '../../../src/runtime/store/checkpoint.ts'
import type { UpsertTable } from '../../../src/runtime/store/table.ts'
import type { Withdrawn } from '../../../src/runtime/withdrawn.ts'
import { Worker } from '../../../src/runtime/worker/worker.ts'
import { toPostgres } from '../../../src/sinks/toPostgres.ts'
import { MemoryCheckpointStore } from '../../../src/testing/memoryCheckpointStore.ts'
import { MemoryLog, type MemoryRecord } from '../../../src/testing/memoryLog.ts'
import { ownersPipeline } from '../../../src/testing/simulation/owners/ownersPipeline.ts'
import { VirtualClock } from '../../../src/testing/virtualClock.ts'

interface Event {
  readonly key: string
  readonly at: number
  readonly id: string
}

interface Row {
  readonly key: string
  readonly start: number
  readonly ids: string
  readonly revision: number
}

const table: UpsertTable<Row> = {
  mode: 'upsert',
  name: 'groups',
  key: ['key', 'start'],
  revision: 'revision',
  columns: [
    { name: 'key', type: 'text', of: (row) => row.key },
    { name: 'start', type: 'bigint', of: (row) => row.start },
    { name: 'ids', type: 'text', of: (row) => row.ids },
    { name: 'revision', type: 'integer', of: (row) => row.revision },
  ],
}

const events = decode({ decode: (record) => JSON.parse(record.valueText() ?? '') as Event })

/** One row a key and ten ms, with the ids of its events. */
const windowed = (provisionalEveryMs?: number) => (records: Observable<Event>) =>
  records.pipe(
    eventTime({ of: (event) => event.at, maxOutOfOrdernessMs: 0 }),
    tumblingWindow({ name: 'ten', sizeMs: 10, by: (event) => event.key, allowedLatenessMs: 5 }),
    aggregateWindow<Event, string[], Row>({
      ...(provisionalEveryMs === undefined ? {} : { provisionalEveryMs }),
      initial: () => [],
      add: (ids, event) => [...ids, event.id],
      result: (ids, { key, start }, { revision }) => ({ key, start, ids: ids.join(' '), revision }),
    }),
  )

/** One row an event. */
const plain = (records: Observable<Event>) =>
  records.pipe(map((event) => ({ key: event.key, start: 0, ids: event.id, revision: 0 })))

/** One row a key and session, which a late event may take back. */
const lateSessions = (records: Observable<Event>) =>
  records.pipe(
    eventTime({ of: (event) => event.at, maxOutOfOrdernessMs: 0 }),
    sessionWindow({ name: 'visit', gapMs: 10, by: (event) => event.key, allowedLatenessMs: 100 }),
    aggregateWindow<Event, string[], Row>({
      initial: () => [],
      add: (ids, event) => [...ids, event.id],
      merge: (earlier, later) => [...earlier, ...later],
      result: (ids, { key, start }, { revision }) => ({ key, start, ids: ids.join(' '), revision }),
      withdraws: true,
    }),
  )

const pipelineOf = (
  chain: (records: Observable<Event>) => Observable<Row | Withdrawn<Row>>,
  onError?: Pipeline['onError'],
) =>
  definePipeline({
    name: 'grouping',
    ...(onError === undefined ? {} : { onError }),
    build: (records) => ({ groups: toPostgres(records.pipe(events, chain), table) }),
  }) as Pipeline

class CountingStore extends MemoryCheckpointStore {
  attempts = 0
  refused = 0
  override claim(...asked: Parameters<MemoryCheckpointStore['claim']>) {
    this.attempts += 1
    return super.claim(...asked)
  }
  override async commit(claim: Claim, checkpoint: Checkpoint) {
    try {
      await super.commit(claim, checkpoint)
    } catch (error) {
      this.refused += 1
      throw error
    }
  }
}

class World {
  readonly clock = new VirtualClock()
  readonly store = new CountingStore()
  readonly log: MemoryLog
  readonly #pipeline: Pipeline

  constructor(pipeline: Pipeline) {
    this.#pipeline = pipeline
    this.log = new MemoryLog({ topic: 'events', partitions: 2, clock: this.clock, batchRecords: 3 })
  }

  add(partition: number, ...list: readonly (Event & Pick<MemoryRecord, 'headers'>)[]): this {
    for (const { headers = [], ...event } of list)
      this.log.add({ partition, key: event.key, value: JSON.stringify(event), headers })
    return this
  }

  /** Reads what is there, then stops. */
  async run(mode: 'drain' | 'drain-and-close' = 'drain', limits: object = {}) {
    const { clock, store, log } = this
    const worker = new Worker({ pipeline: this.#pipeline, source: log, store, archive: null, clock, ...limits })
    const running = worker.run()
    worker.stop(mode)
    await clock.run(running)
  }

  get rows() {
    return this.store.rows('groups').map(({ key, start, ids }) => `${key}@${start}: ${ids}`)
  }

  get letters() {
    return this.store
      .deadLetters()
      .map(
        ({ partition, offset, operator, reason, payload }) =>
          `${partition}/${offset} ${operator} ${reason} ${payload === null ? '-' : (JSON.parse(Buffer.from(payload).toString()) as Event).id}`,
      )
  }
}

const event = (key: string, at: number, id: string, headers: MemoryRecord['headers'] = []) => ({ key, at, id, headers })

describe('a key whose records come in two partitions', () => {
  it('has its row from the one that was first; each record of the other is a letter that names both', async () => {
    const world = new World(pipelineOf(windowed(1)))
    world.add(0, event('A', 1, 'a1'), event('A', 2, 'a2'), event('B', 3, 'b1'))
    await world.run()
    world.add(1, event('A', 4, 'a3'), event('C', 5, 'c1'), event('A', 6, 'a4'), event('A', 11, 'a5'))
    await world.run('drain-and-close')
    expect(world.rows).toEqual(['A@0: a1 a2', 'A@10: a5', 'B@0: b1', 'C@0: c1'])
    expect(world.letters).toEqual(['1/0 ten key-elsewhere a3', '1/2 ten key-elsewhere a4'])
    expect(world.store.deadLetters()[0]?.detail).toMatch(
      /key A, start 0\) of table groups belongs to grouping events\/0; this came by grouping events\/1/,
    )
    expect(world.store.owners('groups').map((owner) => owner?.partition)).toEqual([0, 1, 0, 1])
  })

  it('keeps its row where the other takes one of that key back', async () => {
    const world = new World(pipelineOf(lateSessions))
    await world.add(0, event('A', 20, 'a1'), event('B', 50, 'b1')).run()
    expect(world.rows).toEqual(['A@20: a1'])
    // The same session in the other partition, and an earlier event that makes another one of it.
    await world.add(1, event('A', 20, 'a2'), event('C', 50, 'c1')).run()
    expect(world.rows).toEqual(['A@20: a1'])
    await world.add(1, event('A', 15, 'a3')).run()
    expect(world.rows).toEqual(['A@15: a2 a3', 'A@20: a1'])
    await world.add(0, event('A', 12, 'a4')).run('drain-and-close')
    expect(world.rows.filter((row) => row.startsWith('A'))).toEqual(['A@12: a1 a4', 'A@15: a2 a3'])
    expect(new Set(world.store.deadLetters().map(({ reason }) => reason))).toEqual(new Set(['key-elsewhere']))
  })

  it('has letters also for what comes after a restart, as long as the window is open, and none of the next window', async () => {
    const world = new World(pipelineOf(windowed(1)))
    await world.add(0, event('A', 1, 'a1')).run()
    await world.add(1, event('A', 2, 'a2')).run()
    const { refused } = world.store
    await world.add(1, event('A', 3, 'a3'), event('A', 12, 'a4')).run()
    expect(world.store.refused).toBe(refused)
    // The window is over but for corrections.
    await world.add(1, event('A', 4, 'a5'), event('A', 21, 'a6'), event('A', 5, 'a7')).run('drain-and-close')
    expect(world.rows).toEqual(['A@0: a1', 'A@10: a4', 'A@20: a6'])
    expect(world.letters).toEqual([
      '1/0 ten key-elsewhere a2',
      '1/1 ten key-elsewhere a3',
      '1/3 ten key-elsewhere a5',
      '1/5 ten late a7',
    ])
  })

  it('has one letter for what was folded before a first row, with the row, and one for each record from then on', async () => {
    const world = new World(pipelineOf(windowed()))
    await world.add(0, event('A', 1, 'a1'), event('A', 15, 'a2')).run()
    await world.add(1, event('A', 2, 'b1'), event('A', 3, 'b2')).run()
    expect(world.letters).toEqual([])
    await world.add(1, event('A', 4, 'b3'), event('A', 11, 'b4'), event('A', 5, 'b5')).run('drain-and-close')
    // The window of 10 is still open in partition 0 when partition 1 fires it.
    expect(world.rows[0]).toBe('A@0: a1')
    expect(world.letters.filter((letter) => !letter.includes('a2') && !letter.includes('b4'))).toEqual([
      '1/1 aggregateWindow key-elsewhere -',
      '1/2 ten key-elsewhere b3',
      '1/4 ten key-elsewhere b5',
    ])
    expect(world.store.deadLetters().find(({ operator }) => operator === 'aggregateWindow')?.detail).toContain(
      '"ids":"b1 b2"',
    )
  })

  it('costs a handful of attempts, however many keys there are', async () => {
    const world = new World(pipelineOf(windowed(1)))
    const keys = Array.from({ length: 1_000 }, (_, i) => `key ${i}`)
    await world.add(0, ...keys.map((key) => event(key, 1, `${key} a`))).run()
    const { attempts } = world.store
    await world.add(1, ...keys.map((key) => event(key, 2, `${key} b`))).run('drain-and-close')
    expect(world.rows).toEqual([...keys].sort().map((key) => `${key}@0: ${key} a`))
    expect(world.letters).toHaveLength(1_000)
    expect(world.store.attempts - attempts).toBeLessThan(6)
  })

  it('below a plain step has the record for a letter, and costs no attempt each time', async () => {
    const world = new World(pipelineOf(plain))
    await world.add(0, event('A', 1, 'a1')).run()
    world.add(1, event('A', 2, 'b1'), event('B', 2, 'b2'))
    for (let i = 3; i < 40; i++) world.add(1, event('A', i, `b${i}`))
    const { attempts } = world.store
    await world.run('drain', { limits: { maxUncommittedRecords: 5 } })
    expect(world.rows).toEqual(['A@0: a1', 'B@0: b2'])
    expect(world.letters).toHaveLength(38)
    expect(world.letters[0]).toBe('1/0 outlet groups key-elsewhere b1')
    expect(world.store.attempts - attempts).toBeLessThan(6)
  })

  it('in a batch that is let go at a checkpoint, where there is no record any more, has the row in its letter', async () => {
    const world = new World(pipelineOf((records) => plain(records).pipe(batchFlush({ maxCount: 100 }), mergeAll())))
    await world.add(0, event('A', 1, 'a1')).run()
    await world.add(1, event('A', 2, 'b1'), event('B', 2, 'b2')).run()
    expect(world.rows).toEqual(['A@0: a1', 'B@0: b2'])
    expect(world.letters).toEqual(['1/1 outlet groups key-elsewhere -'])
    expect(world.store.deadLetters()[0]?.detail).toContain('it was {"key":"A","start":0,"ids":"b1","revision":0}')
  })

  it('costs one attempt where only results so far come to a longer window, and not one each time they are shown', async () => {
    const plan = {
      kind: 'windows',
      sizeMs: 10,
      allowedLatenessMs: 0,
      maxOutOfOrdernessMs: 0,
      provisionalEveryMs: 0,
    } as const
    const world = new World(ownersPipeline(plan))
    await world.add(0, event('A', 1, 'a1')).run()
    await world.add(1, event('A', 11, 'b1')).run()
    expect(world.store.refused).toBe(1)
    for (let at = 12; at < 18; at++) await world.add(1, event('A', at, `b${at}`)).run()
    expect(world.store.refused).toBe(1)
    await world.add(1, event('A', 45, 'c1')).run('drain-and-close')
    expect(world.store.rows('large').map(({ start, ids }) => `${start}: ${ids}`)).toEqual(['0: a1', '40: c1'])
    expect(world.store.rows('groups').map(({ ids }) => ids)).toContain('b1 b12 b13 b14 b15 b16 b17')
    // The closed result of the shorter window is what the longer one sets aside.
    expect(world.letters).toEqual(['1/7 large key-elsewhere -'])
  })

  it.each([
    ['batches', (rows: Observable<Row>) => rows.pipe(batchFlush({ maxCount: 100 }), mergeAll())],
    [
      'asynchronous work',
      (rows: Observable<Row>) => rows.pipe(mapAsync(async (row) => ({ ...row }), { concurrency: 3 })),
    ],
  ])('is known to be a window’s below %s as well', async (_, below) => {
    const world = new World(pipelineOf((records) => below(windowed(1)(records))))
    await world.add(0, event('A', 1, 'a1')).run()
    for (let at = 2; at < 6; at++) await world.add(1, event('A', at, `b${at}`)).run()
    expect(world.store.refused).toBe(1)
    expect(world.rows).toEqual(['A@0: a1'])
    expect(world.letters).toEqual([2, 3, 4, 5].map((at) => `1/${at - 2} ten key-elsewhere b${at}`))
  })

  it('ends a pipeline that is to stop, with nothing changed', async () => {
    const world = new World(pipelineOf(windowed(1), 'stop'))
    await world.add(0, event('A', 1, 'a1')).run()
    world.add(1, event('A', 2, 'a2'))
    await expect(world.run()).rejects.toBeInstanceOf(ConfigurationError)
    expect(world.rows).toEqual(['A@0: a1'])
    expect(world.letters).toEqual([])
  })

  it('is applied when it is sent again and nobody else has the row by then, and a letter again where somebody has', async () => {
    const again = [{ key: redriveHeader, value: Buffer.from('ten') }]
    const world = new World(pipelineOf(windowed(1)))
    await world.add(0, event('A', 1, 'a1')).run()
    await world.add(1, event('A', 2, 'a2')).run()
    await world.add(1, event('A', 2, 'a2', again)).run()
    expect(world.letters).toEqual(['1/0 ten key-elsewhere a2', '1/1 ten key-elsewhere a2'])
    world.store.handOver('groups', { pipeline: 'grouping', topic: 'events', partition: 1 })
    await world.add(1, event('A', 2, 'a2', again)).run()
    expect(world.rows).toEqual(['A@0: a2'])
    await world.add(1, event('A', 3, 'a3')).run()
    expect(world.rows).toEqual(['A@0: a2 a3'])
    // What partition 0 had folded before the row was taken from it.
    expect(world.letters.slice(0, 1)).toEqual(['0/0 aggregateWindow key-elsewhere -'])
    expect(world.letters).toHaveLength(3)
  })
})
