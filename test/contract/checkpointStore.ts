import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { ConfigurationError, DeterminismError, TaskFencedError } from '../../src/runtime/errors.ts'
import type { StoredMessage } from '../../src/runtime/log/destination.ts'
import type { LookupAnswer } from '../../src/runtime/store/answers.ts'
import type {
  ArchivedObject,
  Checkpoint,
  CheckpointStore,
  Claim,
  DeadLetter,
  IdleAdvance,
  StateFrame,
  TableWrite,
  TaskId,
} from '../../src/runtime/store/checkpoint.ts'
import { ForeignRowsError } from '../../src/runtime/store/foreignRows.ts'
import type { AppendTable, ColumnValue, Table, UpsertTable } from '../../src/runtime/store/table.ts'
import { type Withdrawn, withdrawn } from '../../src/runtime/withdrawn.ts'
import { Random } from '../../src/testing/random.ts'

/** A store, and a look at what it holds. Rows and letters come in any order. */
export interface CheckpointStoreUnderTest {
  readonly store: CheckpointStore
  rows(table: string): Promise<readonly Readonly<Record<string, ColumnValue>>[]>
  deadLetters(task: TaskId): Promise<readonly DeadLetter[]>
  objects(task: TaskId): Promise<readonly ArchivedObject[]>
  idleAdvances(task: TaskId): Promise<readonly IdleAdvance[]>
  dispose(): Promise<void>
}

export interface Bar {
  readonly symbol: string
  readonly day: string
  readonly at: number
  readonly revision: number
  readonly price: string
  readonly count: number | bigint
  readonly note: string | null
  readonly isClosed: boolean
  readonly extra: string | null
}

/** Every type of column; the key has text, numeric and time. */
export const barTable: UpsertTable<Bar> = {
  mode: 'upsert',
  name: 'contract "Bar"',
  key: ['symbol', 'day', 'at'],
  revision: 'revision',
  columns: [
    { name: 'symbol', type: 'text', of: (bar) => bar.symbol },
    { name: 'day', type: 'numeric', of: (bar) => bar.day },
    { name: 'at', type: 'timestamptz', of: (bar) => bar.at },
    { name: 'revision', type: 'integer', of: (bar) => bar.revision },
    { name: 'price', type: 'numeric', of: (bar) => bar.price },
    { name: 'count', type: 'bigint', of: (bar) => bar.count },
    { name: 'note "x"', type: 'text', of: (bar) => bar.note },
    { name: 'isClosed', type: 'boolean', of: (bar) => bar.isClosed },
    { name: 'extra', type: 'jsonb', of: (bar) => bar.extra },
  ],
}

export interface Line {
  readonly number: number
  readonly text: string | null
  readonly at: number | null
}

export const lineTable: AppendTable<Line> = {
  mode: 'append',
  name: 'contract_line',
  columns: [
    { name: 'number', type: 'bigint', of: (line) => line.number },
    { name: 'text', type: 'text', of: (line) => line.text },
    { name: 'at', type: 'timestamptz', of: (line) => line.at },
  ],
}

const aBar: Bar = {
  symbol: 'BTCUSDT',
  day: '1',
  at: 1_723_075_200_000,
  revision: 1,
  price: '1.5',
  count: 1,
  note: null,
  isClosed: true,
  extra: null,
}

const aLetter: DeadLetter = {
  offset: 3,
  ordinal: 0,
  operator: 'decode',
  reason: 'malformed',
  detail: 'no price',
  recordTime: 1_723_075_200_123,
  key: Uint8Array.from(Buffer.from('BTCUSDT')),
  headers: [],
  payload: new Uint8Array([1, 0, 255]),
}

const anObject: ArchivedObject = {
  key: 'topic=t/date=2024-08-08/partition=0/0-9.jsonl.zst',
  firstOffset: 0,
  lastOffset: 9,
  recordCount: 10,
  sizeBytes: 100,
  sha256: 'a'.repeat(64),
  minTimestamp: 1_723_075_200_000,
  maxTimestamp: 1_723_075_200_999,
  symbols: ['BTCUSDT', 'ETH"USDT'],
}

const hostile = 'nul \0, lone \ud800, escape \u241b0000, tab \t, line \n\r, \\N \\. "quoted" {braces} \u{1F600} NULL'

/** Mostly not UTF-8. */
const everyByte = Uint8Array.from({ length: 256 }, (_, byte) => 255 - byte)

const plain = (bytes: Uint8Array | null) => (bytes === null ? null : Uint8Array.from(bytes))

/** The rows with their type forgotten, as a checkpoint of several tables carries them. */
export function write<Row>(table: Table<Row>, rows: readonly (Row | Withdrawn<Row>)[]): TableWrite {
  return { table: table as Table<unknown>, rows }
}

/** The laws of a checkpoint store, for every implementation of the port. */
export function checkpointStoreContract(name: string, create: () => Promise<CheckpointStoreUnderTest>): void {
  describe(`${name} keeps the contract of a checkpoint store`, () => {
    let under: CheckpointStoreUnderTest
    let store: CheckpointStore
    let task: TaskId
    let taskNumber = 0

    beforeAll(async () => {
      under = await create()
      store = under.store
    })

    beforeEach(() => {
      taskNumber += 1
      task = { pipeline: `pipeline ${taskNumber}`, topic: 'trades', partition: 0 }
    })

    afterAll(async () => {
      await under?.dispose()
    })

    const checkpoint = (nextOffset: number, rest: Partial<Checkpoint> = {}): Checkpoint => ({
      nextOffset,
      watermark: null,
      archiveNextOffset: null,
      state: { kind: 'base', body: `at ${nextOffset}` },
      writes: [],
      deadLetters: [],
      objects: [],
      idleAdvances: [],
      ...rest,
    })

    const bars = (...rows: Partial<Bar>[]) =>
      write(
        barTable,
        rows.map((row) => ({ ...aBar, symbol: task.pipeline, ...row })),
      )

    const storedBars = async () => (await under.rows(barTable.name)).filter((row) => row.symbol === task.pipeline)

    const committed = async (...checkpoints: Checkpoint[]): Promise<Claim> => {
      const claim = await store.claim(task)
      for (const one of checkpoints) await store.commit(claim, one)
      return claim
    }

    test('a task that nothing was committed for has nothing to restore', async () => {
      expect((await store.claim(task)).restored).toBeNull()
      expect((await store.claim(task)).restored).toBeNull()
    })

    test('a claim gives what was last committed', async () => {
      await committed(
        checkpoint(10, {
          watermark: 1_723_075_200_000,
          archiveNextOffset: 4,
          state: { kind: 'base', body: '{"a":1}' },
        }),
      )
      expect((await store.claim(task)).restored).toEqual({
        nextOffset: 10,
        watermark: 1_723_075_200_000,
        archiveNextOffset: 4,
        state: [{ kind: 'base', body: '{"a":1}' }],
      })
    })

    test('the id of the log is kept from the checkpoint that told it', async () => {
      await committed(checkpoint(5, { logId: 'one' }), checkpoint(6))
      expect((await store.claim(task)).restored).toMatchObject({ nextOffset: 6, logId: 'one' })
    })

    test('the leader epoch is that of the last checkpoint, and none where that told none', async () => {
      await committed(checkpoint(5, { leaderEpoch: 3 }), checkpoint(6, { leaderEpoch: 4 }))
      expect((await store.claim(task)).restored).toMatchObject({ nextOffset: 6, leaderEpoch: 4 })
      await committed(checkpoint(7))
      expect((await store.claim(task)).restored).not.toHaveProperty('leaderEpoch')
    })

    test('the leader epochs of other inputs are kept beside their positions', async () => {
      const two = { ...task, otherTopics: ['prices'] }
      const claim = await store.claim(two)
      await store.commit(claim, checkpoint(5, { others: [{ nextOffset: 7, archiveNextOffset: null, leaderEpoch: 2 }] }))
      expect((await store.claim(two)).restored?.others).toEqual([
        { nextOffset: 7, archiveNextOffset: null, leaderEpoch: 2 },
      ])
      await store.commit(
        await store.claim(two),
        checkpoint(6, { others: [{ nextOffset: 8, archiveNextOffset: null }] }),
      )
      expect((await store.claim(two)).restored?.others).toEqual([{ nextOffset: 8, archiveNextOffset: null }])
    })

    test('every claim is a newer generation', async () => {
      const first = await store.claim(task)
      const second = await store.claim(task)
      expect(second.generation).toBeGreaterThan(first.generation)
    })

    test('a claim under another number of partitions is refused with both and what to do, and fences nobody', async () => {
      const claim = await store.claim(task, 2)
      const other = store.claim(task, 3)
      await expect(other).rejects.toBeInstanceOf(ConfigurationError)
      await expect(other).rejects.toThrow(
        new RegExp(
          `${task.pipeline} has read topic trades with 2 partitions, and now it has 3.*partitionGrowth: 'allow'`,
        ),
      )
      await expect(other).rejects.toMatchObject(task)
      await store.commit(claim, checkpoint(5))
      expect(await store.claim(task, 2)).toMatchObject({
        generation: claim.generation + 1,
        restored: { nextOffset: 5 },
      })
    })

    test('a topic with fewer partitions than before is told to be another one', async () => {
      await store.claim(task, 3)
      await expect(store.claim(task, 2)).rejects.toThrow(/made anew: start under a new pipeline name/)
    })

    test('the number of partitions is one for all partitions of a topic, and for no other topic or pipeline', async () => {
      await store.claim(task, 2)
      const added = { ...task, partition: 2 }
      await expect(store.claim(added, 3)).rejects.toBeInstanceOf(ConfigurationError)
      expect((await store.claim(added)).generation).toBe(1)
      await store.claim({ ...task, topic: 'other' }, 3)
      await store.claim({ ...task, pipeline: `${task.pipeline} b` }, 3)
    })

    test('a claim that tells no number of partitions is compared with none, and the one before stays', async () => {
      await store.claim(task)
      await store.claim(task, 2)
      await store.claim(task)
      await expect(store.claim(task, 3)).rejects.toBeInstanceOf(ConfigurationError)
      await store.claim(task, 2)
    })

    test('a claim that allows another number is made, and one that refuses is held to the greatest from then on', async () => {
      await store.claim(task, 2, 'allow')
      await expect(store.claim({ ...task, partition: 1 }, 3, 'refuse')).rejects.toBeInstanceOf(ConfigurationError)
      await store.claim({ ...task, partition: 2 }, 3, 'allow')
      await expect(store.claim(task, 2)).rejects.toBeInstanceOf(ConfigurationError)
      expect((await store.claim(task, 3)).generation).toBe(2)
    })

    test('of first claims that race under two numbers of partitions those of one number win', async () => {
      const claims = Array.from({ length: 8 }, (_, partition) => {
        const topicPartitions = 8 + (partition % 2)
        return store.claim({ ...task, partition }, topicPartitions).then(
          () => topicPartitions,
          (error: unknown) => error,
        )
      })
      const results = await Promise.all(claims)
      const won = results.filter((result) => typeof result === 'number')
      expect(won).toHaveLength(4)
      expect(new Set(won).size).toBe(1)
      for (const result of results) if (typeof result !== 'number') expect(result).toBeInstanceOf(ConfigurationError)
    })

    test('an older claim is fenced and stores nothing', async () => {
      const older = await store.claim(task)
      await store.commit(older, checkpoint(5))
      const newer = await store.claim(task)
      const zombie = store.commit(
        older,
        checkpoint(9, {
          writes: [bars({})],
          deadLetters: [aLetter],
          objects: [anObject],
          idleAdvances: [{ offset: 1, watermark: 2 }],
        }),
      )
      await expect(zombie).rejects.toBeInstanceOf(TaskFencedError)
      await expect(zombie).rejects.toThrow(new RegExp(`generation ${newer.generation}.*generation ${older.generation}`))
      expect(await storedBars()).toEqual([])
      expect(await under.deadLetters(task)).toEqual([])
      expect(await under.objects(task)).toEqual([])
      expect(await under.idleAdvances(task)).toEqual([])
      expect((await store.claim(task)).restored).toMatchObject({
        nextOffset: 5,
        state: [{ kind: 'base', body: 'at 5' }],
      })
    })

    test('a fenced append stores nothing', async () => {
      const older = await store.claim(task)
      await store.claim(task)
      const before = (await under.rows(lineTable.name)).length
      const lines = write(lineTable, [{ number: 1, text: 'a', at: null }])
      await expect(store.commit(older, checkpoint(1, { writes: [lines] }))).rejects.toBeInstanceOf(TaskFencedError)
      expect(await under.rows(lineTable.name)).toHaveLength(before)
    })

    test('tasks do not see one another', async () => {
      await committed(checkpoint(10))
      expect((await store.claim({ ...task, partition: 1 })).restored).toBeNull()
      expect((await store.claim({ ...task, topic: 'other' })).restored).toBeNull()
      expect((await store.claim({ ...task, pipeline: `${task.pipeline} b` })).restored).toBeNull()
    })

    test('an offset never goes down', async () => {
      const claim = await committed(checkpoint(10, { archiveNextOffset: 8 }))
      const lower = store.commit(claim, checkpoint(9, { archiveNextOffset: 8, writes: [bars({})] }))
      await expect(lower).rejects.toBeInstanceOf(DeterminismError)
      const lowerArchive = store.commit(claim, checkpoint(10, { archiveNextOffset: 7, writes: [bars({})] }))
      await expect(lowerArchive).rejects.toBeInstanceOf(DeterminismError)
      expect(await storedBars()).toEqual([])
      expect((await store.claim(task)).restored).toMatchObject({ nextOffset: 10, archiveNextOffset: 8 })
    })

    test('a checkpoint at the same offset is stored', async () => {
      await committed(checkpoint(10), checkpoint(10, { watermark: 7 }))
      expect((await store.claim(task)).restored).toMatchObject({ nextOffset: 10, watermark: 7 })
    })

    test('deltas are restored behind their base, oldest first, and a new base replaces them all', async () => {
      const delta = (n: number) => checkpoint(n, { state: { kind: 'delta', body: `delta ${n}` } })
      const claim = await committed(checkpoint(1), delta(2), delta(3))
      const bodies = async () => (await store.claim(task)).restored?.state.map(({ kind, body }) => `${kind}: ${body}`)
      expect(await bodies()).toEqual(['base: at 1', 'delta: delta 2', 'delta: delta 3'])
      await expect(store.commit(claim, checkpoint(4))).rejects.toBeInstanceOf(TaskFencedError)
      await committed(checkpoint(4), delta(5))
      expect(await bodies()).toEqual(['base: at 4', 'delta: delta 5'])
    })

    test('portions of a whole state take the place of what was before the first of them once the last is there, and not sooner', async () => {
      const frame = (kind: StateFrame['kind'], n: number) => ({ kind, body: `${kind} ${n}` })
      const delta = (n: number, kind?: StateFrame['kind']) =>
        checkpoint(n, { state: frame('delta', n), ...(kind === undefined ? {} : { portion: frame(kind, n) }) })
      const bodies = async () => (await store.claim(task)).restored?.state.map(({ body }) => body)
      await committed(checkpoint(1), delta(2, 'first'), delta(3, 'further'))
      const givenUp = ['at 1', 'delta 2', 'first 2', 'delta 3', 'further 3']
      expect(await bodies()).toEqual(givenUp)
      await committed(delta(4, 'first'), delta(5, 'further'))
      const deltas = ['at 1', 'delta 2', 'delta 3']
      expect(await bodies()).toEqual([...deltas, 'delta 4', 'first 4', 'delta 5', 'further 5'])
      const claim = await committed(delta(6, 'last'), delta(7, 'first'))
      const whole = ['first 4', 'delta 5', 'further 5', 'delta 6', 'last 6']
      expect(await bodies()).toEqual([...whole, 'delta 7', 'first 7'])
      await expect(store.commit(claim, delta(8, 'last'))).rejects.toBeInstanceOf(TaskFencedError)
      expect(await bodies()).toEqual([...whole, 'delta 7', 'first 7'])
      await committed(delta(8, 'first'))
      expect(await bodies()).toEqual([...whole, 'delta 7', 'delta 8', 'first 8'])
      await committed(delta(9, 'base'))
      expect(await bodies()).toEqual(['base 9'])
    })

    test('a write that cannot be stored leaves nothing of its checkpoint, and the claim stays good', async () => {
      const claim = await committed(checkpoint(1))
      const lines = (await under.rows(lineTable.name)).length
      const failing = store.commit(
        claim,
        checkpoint(2, {
          writes: [
            write(lineTable, [{ number: 1, text: 'a', at: null }]),
            bars({ day: '1' }),
            bars({ day: '2', price: 'no number' }),
          ],
          deadLetters: [aLetter],
          objects: [anObject],
        }),
      )
      await expect(failing).rejects.toBeInstanceOf(ConfigurationError)
      await expect(failing).rejects.toThrow(/contract "Bar".*price.*no number/)
      expect(await storedBars()).toEqual([])
      expect(await under.rows(lineTable.name)).toHaveLength(lines)
      expect(await under.deadLetters(task)).toEqual([])
      await store.commit(claim, checkpoint(2, { writes: [bars({})] }))
      expect(await storedBars()).toHaveLength(1)
    })

    test('a row is replaced by one whose revision is not older', async () => {
      const claim = await committed(checkpoint(1, { writes: [bars({ revision: 2, price: '2.0' })] }))
      const price = async () => (await storedBars())[0]?.price
      await store.commit(claim, checkpoint(2, { writes: [bars({ revision: 1, price: '1.0' })] }))
      expect(await price()).toBe('2.0')
      await store.commit(claim, checkpoint(3, { writes: [bars({ revision: 2, price: '2.5' })] }))
      expect(await price()).toBe('2.5')
      await store.commit(claim, checkpoint(4, { writes: [bars({ revision: 3, price: '3.0' })] }))
      expect(await price()).toBe('3.0')
      expect(await storedBars()).toHaveLength(1)
    })

    test('a row of another task is not replaced: the commit says which rows are whose, stores nothing, and the claim stays good', async () => {
      await committed(checkpoint(1, { writes: [bars({ day: '1', price: '1' }, { day: '2.0', price: '2' })] }))
      const others = [
        { ...task, partition: 1 },
        { ...task, topic: 'other' },
        { ...task, pipeline: `${task.pipeline} b` },
      ]
      for (const other of others) {
        const claim = await store.claim(other)
        const writes = [
          write(lineTable, [{ number: 7, text: task.pipeline, at: null }]),
          bars({ day: '3' }, { day: '2', revision: 9 }, { day: '1.00', revision: 0 }, { day: '2', revision: 3 }),
        ]
        const refused = await store.commit(claim, checkpoint(5, { writes, deadLetters: [aLetter] })).catch((e) => e)
        expect(refused).toBeInstanceOf(ForeignRowsError)
        const { rows } = refused as ForeignRowsError
        expect([...rows].sort((a, b) => a.row - b.row)).toMatchObject([
          { write: 1, row: 2, owner: task },
          { write: 1, row: 3, owner: task },
        ])
        const before = (await storedBars()).filter(({ day }) => Number(day) < 10)
        expect(before.map(({ day, price }) => [Number(day), price]).sort()).toEqual([
          [1, '1'],
          [2, '2'],
        ])
        expect(await under.deadLetters(other)).toEqual([])
        expect((await under.rows(lineTable.name)).filter(({ text }) => text === task.pipeline)).toEqual([])
        const day = String(10 + others.indexOf(other))
        await store.commit(claim, checkpoint(5, { writes: [bars({ day, price: day })] }))
        expect((await storedBars()).map(({ price }) => price)).toContain(day)
      }
    })

    test('the owner goes on replacing its rows, in any later claim', async () => {
      await committed(checkpoint(1, { writes: [bars({ price: '1' })] }))
      await committed(checkpoint(2, { writes: [bars({ price: '2' })] }))
      expect(await storedBars()).toMatchObject([{ price: '2' }])
    })

    test('of two tasks that bring a new key at once one wins, and the other learns whose the row is', async () => {
      for (let round = 0; round < 10; round++) {
        const tasks = [0, 1].map((partition) => ({ ...task, topic: `round ${round}`, partition }))
        const commits = tasks.map(async (one) => {
          const claim = await store.claim(one)
          const rows = bars({ day: String(round), price: String(one.partition) }, { day: String(round + 100) })
          return store.commit(claim, checkpoint(1, { writes: [rows] }))
        })
        const results = await Promise.allSettled(commits)
        const lost = results.findIndex(({ status }) => status === 'rejected')
        expect(results.filter(({ status }) => status === 'rejected')).toHaveLength(1)
        const { reason } = results[lost] as PromiseRejectedResult
        expect(reason).toBeInstanceOf(ForeignRowsError)
        expect((reason as ForeignRowsError).rows).toHaveLength(2)
        expect((reason as ForeignRowsError).rows[0]?.owner).toEqual(tasks[1 - lost])
        const stored = (await storedBars()).find(({ day }) => Number(day) === round)
        expect(stored?.price).toBe(String(1 - lost))
      }
    })

    test('a letter that says whose a row is may say something else the next time', async () => {
      const elsewhere = { ...aLetter, reason: 'key-elsewhere', detail: 'of a/0' }
      const claim = await committed(checkpoint(5, { deadLetters: [elsewhere] }))
      await store.commit(claim, checkpoint(5, { deadLetters: [{ ...elsewhere, detail: 'of b/0' }] }))
      expect(await under.deadLetters(task)).toMatchObject([{ reason: 'key-elsewhere', detail: 'of b/0' }])
      await store.commit(claim, checkpoint(5, { deadLetters: [aLetter] }))
      expect(await under.deadLetters(task)).toMatchObject([{ reason: aLetter.reason }])
      await expect(
        store.commit(claim, checkpoint(5, { deadLetters: [{ ...aLetter, detail: 'other' }] })),
      ).rejects.toBeInstanceOf(DeterminismError)
    })

    test('of repeats in one batch the newest revision stays, the later one among equals', async () => {
      await committed(
        checkpoint(1, {
          writes: [
            bars(
              { day: '1', revision: 1, price: '1' },
              { day: '2', revision: 2, price: '2' },
              { day: '1', revision: 3, price: '3' },
              { day: '2', revision: 1, price: '4' },
              { day: '1', revision: 3, price: '5' },
              { day: '1.00', revision: 3, price: '6' },
            ),
          ],
        }),
      )
      const stored = (await storedBars()).map(({ day, revision, price }) => [Number(day), revision, price])
      expect(stored.sort()).toEqual([
        [1, 3, '6'],
        [2, 2, '2'],
      ])
    })

    const gone = (row: Partial<Bar>) => withdrawn({ ...aBar, symbol: task.pipeline, ...row })
    const goneBars = (...rows: Partial<Bar>[]) => write(barTable, rows.map(gone))

    test('a row that is taken back is gone, unless it is newer, and its key starts anew', async () => {
      const first = bars({ day: '1', revision: 2 }, { day: '2', revision: 2 }, { day: '3', revision: 2 })
      const claim = await committed(checkpoint(1, { writes: [first] }))
      await store.commit(
        claim,
        checkpoint(2, {
          writes: [
            goneBars(
              { day: '1.00', revision: 2 },
              { day: '2', revision: 1 },
              { day: '3.0', revision: 9 },
              { day: '4', revision: 9 },
            ),
          ],
        }),
      )
      expect((await storedBars()).map(({ day }) => Number(day))).toEqual([2])
      await store.commit(claim, checkpoint(3, { writes: [bars({ day: '3', revision: 1, price: '3' })] }))
      expect((await storedBars()).map(({ day, price }) => [Number(day), price]).sort()).toEqual([
        [2, '1.5'],
        [3, '3'],
      ])
    })

    test('rows and what takes them back come to the same however they are cut into checkpoints', async () => {
      const random = new Random('withdrawals')
      for (let round = 0; round < 20; round++) {
        const at = round
        const steps = Array.from({ length: random.int(2, 24) }, (_, i) => ({
          row: {
            ...aBar,
            symbol: task.pipeline,
            day: String(random.int(1, 3)),
            at,
            revision: random.int(0, 5),
            count: i,
          },
          isGone: random.chance(0.4),
        }))
        const truth = new Map<string, Bar>()
        for (const { row, isGone } of steps) {
          const known = truth.get(row.day)
          if (known !== undefined && row.revision < known.revision) continue
          if (isGone) truth.delete(row.day)
          else truth.set(row.day, row)
        }
        const claim = await store.claim({ ...task, topic: `round ${round}` })
        for (let rest = [...steps], offset = 1; rest.length > 0; offset++) {
          const part = rest.splice(0, random.int(1, 8))
          const rows = part.map(({ row, isGone }) => (isGone ? withdrawn(row) : row))
          const lines = write(lineTable, random.chance(0.3) ? [{ number: 1, text: 'beside', at: null }] : [])
          await store.commit(claim, checkpoint(offset, { writes: [write(barTable, rows), lines] }))
        }
        const stored = (await storedBars()).filter((row) => row.at === at)
        const shown = (rows: readonly { day: ColumnValue; revision: ColumnValue; count: ColumnValue }[]) =>
          rows.map(({ day, revision, count }) => `${Number(day)}: ${revision} of ${count}`).sort()
        expect(shown(stored as never)).toEqual(shown([...truth.values()]))
      }
    })

    test('a row of another task is not taken back, and one that its owner took back is free', async () => {
      const claim = await committed(checkpoint(1, { writes: [bars({ day: '1' }, { day: '2' })] }))
      const other = { ...task, partition: 1 }
      const refused = await store
        .commit(
          await store.claim(other),
          checkpoint(1, { writes: [goneBars({ day: '3' }, { day: '2', revision: 9 })] }),
        )
        .catch((error) => error)
      expect(refused).toBeInstanceOf(ForeignRowsError)
      expect((refused as ForeignRowsError).rows).toMatchObject([{ write: 0, row: 1, owner: task }])
      expect(await storedBars()).toHaveLength(2)
      await store.commit(claim, checkpoint(2, { writes: [goneBars({ day: '2' })] }))
      await store.commit(await store.claim(other), checkpoint(1, { writes: [bars({ day: '2', price: '7' })] }))
      expect((await storedBars()).map(({ price }) => price).sort()).toEqual(['1.5', '7'])
    })

    test('of what is taken back only the key and the revision are looked at, and they have to be right', async () => {
      const claim = await committed(checkpoint(1, { writes: [bars({ day: '1' }, { day: '2' })] }))
      const only = withdrawn({ symbol: task.pipeline, day: '1', at: aBar.at, revision: 1 } as Bar)
      await store.commit(claim, checkpoint(2, { writes: [write(barTable, [only])] }))
      expect((await storedBars()).map(({ day }) => Number(day))).toEqual([2])
      const bad = store.commit(claim, checkpoint(3, { writes: [goneBars({ day: '2' }, { day: 'x' })] }))
      await expect(bad).rejects.toBeInstanceOf(ConfigurationError)
      await expect(bad).rejects.toThrow(/day/)
      expect(await storedBars()).toHaveLength(1)
    })

    test('from a table that is only added to nothing is taken back', async () => {
      const lines = (await under.rows(lineTable.name)).length
      const line = { number: 1, text: 'a', at: null }
      const claim = await store.claim(task)
      const taking = store.commit(claim, checkpoint(1, { writes: [write(lineTable, [line, withdrawn(line)])] }))
      await expect(taking).rejects.toBeInstanceOf(ConfigurationError)
      await expect(taking).rejects.toThrow(/only added to/)
      expect(await under.rows(lineTable.name)).toHaveLength(lines)
    })

    test('more rows than one statement takes are taken back, text and all', async () => {
      const rows = Array.from({ length: 12_000 }, (_, i) => ({ day: String(i), note: hostile }))
      const claim = await committed(checkpoint(1, { writes: [bars(...rows)] }))
      await store.commit(claim, checkpoint(2, { writes: [goneBars(...rows.slice(1))] }))
      expect((await storedBars()).map(({ day }) => Number(day))).toEqual([0])
    })

    test('extreme values come back as they were given', async () => {
      const extremes: Partial<Bar>[] = [
        { day: '1', count: 9_223_372_036_854_775_807n, price: '123456789012345678901234567890.1234567890123456' },
        { day: '2', count: -9_223_372_036_854_775_808n, price: '-0.0000000000000001' },
        { day: '3', count: Number.MAX_SAFE_INTEGER, at: 32_503_680_000_001, extra: '{"a": [1, null, "b"]}' },
        { day: '4', at: -62_167_219_200_001, note: '', isClosed: false },
        { day: '5', at: 1, note: 'NULL' },
        { day: '6', note: '\\N {"a",\'b\'} \u{1F600} \r\n\t' },
        { day: '7', revision: 2_147_483_647, at: 8_640_000_000_000_000 },
      ]
      await committed(checkpoint(1, { writes: [bars(...extremes)] }))
      const stored = new Map((await storedBars()).map((row) => [row.day, row]))
      for (const extreme of extremes) {
        const { symbol: _, note, count, ...rest } = { ...aBar, ...extreme }
        expect(stored.get(rest.day)).toEqual({ ...rest, symbol: task.pipeline, 'note "x"': note, count: BigInt(count) })
      }
    })

    test('text that PostgreSQL cannot hold is told apart all the same, also in a key', async () => {
      const notes = [hostile, 'a', 'a\0', 'a\u241b0000', '\ud800', '\udc00']
      const rows = notes.map((note, i) => ({ day: '1', at: i, note, extra: JSON.stringify({ note }) }))
      const claim = await committed(checkpoint(1, { writes: [bars(...rows)] }))
      const stored = (await storedBars()).sort((a, b) => Number(a.at) - Number(b.at))
      expect(stored.map((row) => row['note "x"'])).toEqual(notes)
      const keys = notes.map((note) => `${task.pipeline} ${note}`)
      await store.commit(claim, checkpoint(2, { writes: [bars(...keys.map((symbol) => ({ symbol })))] }))
      const symbols = (await under.rows(barTable.name)).map((row) => String(row.symbol))
      for (const key of keys) expect(symbols.filter((symbol) => symbol === key)).toHaveLength(1)
    })

    test('appended rows are all there, in whatever characters, many at once', async () => {
      const before = (await under.rows(lineTable.name)).length
      const rows: Line[] = [
        { number: 1, text: hostile, at: 1_723_075_200_123 },
        { number: 2, text: null, at: null },
        { number: 3, text: '', at: -1 },
        ...Array.from({ length: 3_000 }, (_, i) => ({ number: 4 + i, text: `line ${i} ${'x'.repeat(50)}`, at: i })),
      ]
      const claim = await committed(checkpoint(1, { writes: [write(lineTable, rows)] }))
      await store.commit(claim, checkpoint(2, { writes: [write(lineTable, rows.slice(0, 1))] }))
      const stored = (await under.rows(lineTable.name)).slice(before)
      const wanted = [...rows, rows[0]!].map((line) => ({ ...line, number: BigInt(line.number) }))
      const byNumber = (a: { number?: ColumnValue }, b: { number?: ColumnValue }) => Number(a.number) - Number(b.number)
      expect([...stored].sort(byNumber)).toEqual(wanted.sort(byNumber))
    })

    test('rows that the store has packed as they came are stored as others are', async (context) => {
      if (store.openPacker === undefined) return context.skip('the store takes rows as they are')
      const packer = store.openPacker(lineTable as AppendTable<never>)
      const lines = Array.from({ length: 500 }, (_, i) => ({
        number: i - 250,
        text: `${task.pipeline} ${hostile.repeat(i % 5)}`,
        at: i % 7 === 0 ? null : 1_723_075_200_123 + i * 7,
      }))
      for (const line of lines) packer.add(line)
      const write = { table: lineTable as AppendTable<unknown>, rows: [], packed: packer.take() }
      await committed(checkpoint(1, { writes: [write] }))
      const all = await under.rows(lineTable.name)
      const stored = all.filter(({ text }) => String(text).startsWith(task.pipeline))
      const numbered = stored.map(({ number, ...line }) => ({ number: Number(number), ...line }))
      expect(numbered.sort((a, b) => a.number - b.number)).toEqual(lines)
    })

    test('a dead letter is known by task, offset, operator and ordinal, and a repeat of it changes nothing', async () => {
      const letters: DeadLetter[] = [
        aLetter,
        { ...aLetter, ordinal: 1 },
        { ...aLetter, operator: 'window' },
        { ...aLetter, offset: 4, recordTime: null, key: null, payload: null },
      ]
      const claim = await committed(checkpoint(5, { deadLetters: letters }))
      await store.commit(
        claim,
        checkpoint(6, {
          deadLetters: [...letters, aLetter, { ...aLetter, offset: 5 }],
        }),
      )
      const stored = await under.deadLetters(task)
      expect(stored).toHaveLength(5)
      for (const letter of [...letters, { ...aLetter, offset: 5 }]) expect(stored).toContainEqual(letter)
    })

    test('a dead letter holds whatever bytes and text made it one', async () => {
      const letter: DeadLetter = {
        ...aLetter,
        detail: hostile,
        key: everyByte,
        headers: [
          { key: hostile, value: everyByte },
          { key: 'null', value: null },
          { key: '', value: new Uint8Array() },
          { key: 'null', value: new Uint8Array([0xff, 0]) },
        ],
        payload: Uint8Array.from({ length: 100_000 }, (_, i) => i & 255),
      }
      await committed(checkpoint(1, { deadLetters: [letter] }))
      expect(await under.deadLetters(task)).toEqual([letter])
    })

    test('of a dead letter null and empty differ, for key, headers and payload', async () => {
      const letters: DeadLetter[] = [
        { ...aLetter, key: null, payload: null },
        { ...aLetter, key: new Uint8Array(), payload: new Uint8Array(), ordinal: 1 },
        { ...aLetter, headers: [{ key: 'a', value: null }], ordinal: 2 },
        { ...aLetter, headers: [{ key: 'a', value: new Uint8Array() }], ordinal: 3 },
      ]
      await committed(checkpoint(1, { deadLetters: letters }))
      const stored = await under.deadLetters(task)
      expect([...stored].sort((a, b) => a.ordinal - b.ordinal)).toEqual(letters)
    })

    test('a dead letter is what it was when it was committed, whatever becomes of its bytes', async () => {
      const bytes = new Uint8Array([1, 2])
      const letter = { ...aLetter, key: bytes, headers: [{ key: 'a', value: bytes }], payload: bytes }
      await committed(checkpoint(1, { deadLetters: [letter] }))
      bytes.fill(9)
      const was = new Uint8Array([1, 2])
      const kept = { ...aLetter, key: was, headers: [{ key: 'a', value: was }], payload: was }
      expect(await under.deadLetters(task)).toEqual([kept])
    })

    test.each<[string, Partial<DeadLetter>]>([
      ['reason', { reason: 'late' }],
      ['detail', { detail: 'again' }],
      ['record time', { recordTime: null }],
      ['key', { key: Uint8Array.from(Buffer.from('BTCUSDU')) }],
      ['headers', { headers: [{ key: 'a', value: new Uint8Array([1]) }] }],
      ['payload', { payload: new Uint8Array([1, 0, 254]) }],
    ])(
      'another dead letter at the same place, by its %s, ends the checkpoint and tells both',
      async (_name, change) => {
        const claim = await committed(checkpoint(10, { deadLetters: [aLetter] }))
        const deadLetters = [
          { ...aLetter, offset: 10 },
          { ...aLetter, ...change },
        ]
        const other = store.commit(claim, checkpoint(11, { writes: [bars({})], deadLetters }))
        await expect(other).rejects.toBeInstanceOf(DeterminismError)
        await expect(other).rejects.toThrow(/dead letter 3\/decode\/0 is stored as "malformed: no price"/)
        expect(await under.deadLetters(task)).toEqual([aLetter])
        expect(await storedBars()).toEqual([])
        expect((await store.claim(task)).restored?.nextOffset).toBe(10)
      },
    )

    test('two letters of one place in one checkpoint are one when they are alike, and refused when they are not', async () => {
      const claim = await committed(checkpoint(10, { deadLetters: [aLetter, { ...aLetter, ordinal: 1 }, aLetter] }))
      expect(await under.deadLetters(task)).toHaveLength(2)
      const letter = { ...aLetter, offset: 10 }
      const other = store.commit(claim, checkpoint(11, { deadLetters: [letter, { ...letter, detail: 'other' }] }))
      await expect(other).rejects.toBeInstanceOf(DeterminismError)
      expect(await under.deadLetters(task)).toHaveLength(2)
    })

    test('more dead letters than one statement takes are all stored, once', async () => {
      const letters = Array.from({ length: 1_201 }, (_, offset) => ({ ...aLetter, offset }))
      const claim = await committed(checkpoint(1_201, { deadLetters: letters }))
      await store.commit(claim, checkpoint(1_202, { deadLetters: letters }))
      const offsets = (await under.deadLetters(task)).map(({ offset }) => offset)
      expect(offsets.sort((a, b) => a - b)).toEqual(letters.map(({ offset }) => offset))
    })

    test('an absurd time does not keep a dead letter out', async () => {
      const times = [1e300, -1e300, Number.POSITIVE_INFINITY, Number.NaN, 8.65e15]
      const letters = times.map((recordTime, ordinal) => ({ ...aLetter, ordinal, recordTime }))
      await committed(checkpoint(1, { deadLetters: letters }))
      expect(await under.deadLetters(task)).toHaveLength(times.length)
    })

    test('the manifest takes an object again and refuses other bytes at its place', async () => {
      const claim = await committed(checkpoint(10, { objects: [anObject] }))
      await store.commit(claim, checkpoint(11, { objects: [anObject] }))
      const other = store.commit(
        claim,
        checkpoint(12, { writes: [bars({})], objects: [{ ...anObject, sha256: 'b'.repeat(64) }] }),
      )
      await expect(other).rejects.toBeInstanceOf(DeterminismError)
      await expect(other).rejects.toThrow(anObject.key)
      expect(await under.objects(task)).toEqual([anObject])
      expect(await storedBars()).toEqual([])
      expect((await store.claim(task)).restored?.nextOffset).toBe(11)
    })

    test('idle advances are kept, and a repeat changes nothing', async () => {
      const advances = [
        { offset: 5, watermark: 100 },
        { offset: 5, watermark: 200 },
        { offset: 6, watermark: 300 },
      ]
      const claim = await committed(checkpoint(6, { idleAdvances: advances.slice(0, 2) }))
      await store.commit(claim, checkpoint(7, { idleAdvances: advances.slice(1) }))
      expect(await under.idleAdvances(task)).toEqual(advances)
    })

    test('the positions of other inputs are kept under their topics, and given in the order in which they are asked for', async () => {
      const joined = { ...task, otherTopics: ['payments', 'refunds'] }
      const claim = await store.claim(joined)
      const others = [
        { nextOffset: 7, archiveNextOffset: 3, logId: 'p' },
        { nextOffset: 0, archiveNextOffset: null },
      ]
      await store.commit(claim, checkpoint(5, { others }))
      expect((await store.claim(joined)).restored).toMatchObject({ nextOffset: 5, others })
      const swapped = { ...task, otherTopics: ['refunds', 'new', 'payments'] }
      expect((await store.claim(swapped)).restored?.others).toEqual([others[1], null, others[0]])
      expect((await store.claim(task)).restored).not.toHaveProperty('others')
    })

    test('the position of another input stays at what its log was once called', async () => {
      const joined = { ...task, otherTopics: ['payments'] }
      const claim = await store.claim(joined)
      await store.commit(claim, checkpoint(5, { others: [{ nextOffset: 7, archiveNextOffset: null, logId: 'p' }] }))
      await store.commit(claim, checkpoint(6, { others: [{ nextOffset: 8, archiveNextOffset: null }] }))
      expect((await store.claim(joined)).restored?.others).toEqual([
        { nextOffset: 8, archiveNextOffset: null, logId: 'p' },
      ])
    })

    test.each([
      ['offset', { nextOffset: 6, archiveNextOffset: 3 }],
      ["archive's offset", { nextOffset: 7, archiveNextOffset: 2 }],
    ])('the %s of another input never goes down', async (_name, lower) => {
      const joined = { ...task, otherTopics: ['payments'] }
      const claim = await store.claim(joined)
      const others = [{ nextOffset: 7, archiveNextOffset: 3 }]
      await store.commit(claim, checkpoint(5, { others }))
      const back = store.commit(claim, checkpoint(6, { others: [lower], writes: [bars({})] }))
      await expect(back).rejects.toBeInstanceOf(DeterminismError)
      expect(await storedBars()).toEqual([])
      expect((await store.claim(joined)).restored).toMatchObject({ nextOffset: 5, others })
    })

    test('letters and objects of another input stand under its topic, and do not meet those of the first', async () => {
      const joined = { ...task, otherTopics: ['payments'] }
      const claim = await store.claim(joined)
      const letters = [aLetter, { ...aLetter, input: 1, detail: 'no order' }]
      const objects = [anObject, { ...anObject, input: 1, sha256: 'c'.repeat(64), key: 'other' }]
      const once = checkpoint(10, { deadLetters: letters, objects, others: [{ nextOffset: 9, archiveNextOffset: 9 }] })
      await store.commit(claim, once)
      await store.commit(claim, { ...once, nextOffset: 11 })
      const withoutInput = <T extends { input?: number }>({ input: _, ...rest }: T) => rest
      const payments = { ...task, topic: 'payments' }
      expect((await under.deadLetters(task)).map(withoutInput)).toEqual([aLetter])
      expect((await under.deadLetters(payments)).map(withoutInput)).toEqual([{ ...aLetter, detail: 'no order' }])
      expect((await under.objects(task)).map(withoutInput)).toEqual([anObject])
      expect((await under.objects(payments)).map(withoutInput)).toEqual([withoutInput(objects[1]!)])
      const other = { ...aLetter, input: 1 }
      await expect(store.commit(claim, checkpoint(12, { deadLetters: [other] }))).rejects.toBeInstanceOf(
        DeterminismError,
      )
    })

    test('merge notes are given by input, in the order of its offsets, page by page, and a repeat changes nothing', async () => {
      const lead = { input: 0, offsets: [3, 9] }
      const notes = [
        { input: 1, offsets: [1, 9], isFirst: true as const },
        { input: 1, offsets: [2, 9] },
        { input: 1, offsets: [1, 10] },
        { input: 1, offsets: [10, 100] },
      ]
      const claim = await committed(checkpoint(10, { mergeNotes: [notes[3]!, notes[1]!, notes[0]!] }))
      await store.commit(claim, checkpoint(11, { mergeNotes: [notes[2]!, lead, notes[1]!] }))
      expect(await store.mergeNotes(task, 1, 0, 10)).toEqual(notes)
      expect(await store.mergeNotes(task, 1, 9, 2)).toEqual(notes.slice(0, 2))
      expect(await store.mergeNotes(task, 1, 10, 10)).toEqual(notes.slice(2))
      expect(await store.mergeNotes(task, 0, 0, 10)).toEqual([lead])
      expect(await store.mergeNotes({ ...task, partition: 1 }, 1, 0, 10)).toEqual([])
    })

    test('recorded answers are given by input, in the order of its offsets, page by page, and the last one of a place holds', async () => {
      const answer = (offset: number, over: Partial<LookupAnswer> = {}): LookupAnswer => ({
        ...{ operator: 'tier', input: 0, offset, ordinal: 0, key: 'k', at: 7, answer: '"gold"', isFailure: false },
        ...over,
      })
      const all = [
        answer(1, { key: hostile, operator: hostile, answer: JSON.stringify(hostile), at: null }),
        answer(2, { isFailure: true, at: -5 }),
        answer(2, { ordinal: 1 }),
        answer(10, { operator: 'tier2' }),
      ]
      const other = answer(3, { input: 1 })
      const claim = await committed(checkpoint(10, { answers: [all[3]!, answer(1, all[0]), all[1]!] }))
      await store.commit(
        claim,
        checkpoint(11, { answers: [all[2]!, other, answer(10, { operator: 'tier2', key: 'old' })] }),
      )
      await store.commit(claim, checkpoint(12, { answers: [all[3]!] }))
      expect(await store.answers(task, 0, 0, 10)).toEqual(all)
      expect(await store.answers(task, 0, 2, 2)).toEqual(all.slice(1, 3))
      expect(await store.answers(task, 0, 3, 10)).toEqual(all.slice(3))
      expect(await store.answers(task, 1, 0, 10)).toEqual([other])
      expect(await store.answers({ ...task, pipeline: 'another' }, 0, 0, 10)).toEqual([])
      const many = Array.from({ length: 2_500 }, (_, i) => answer(100 + i, { answer: JSON.stringify('x'.repeat(100)) }))
      await store.commit(claim, checkpoint(13, { answers: many }))
      expect(await store.answers(task, 0, 100, 3_000)).toEqual(many)
    })

    test('steps of time are given by place, then by watermark, with the clocks and the offsets that they name', async () => {
      const advances = [
        { offset: 5, otherOffsets: [1], watermark: 900, clock: 'orders' },
        { offset: 5, otherOffsets: [2], watermark: 100, clock: hostile },
        { offset: 5, otherOffsets: [2], watermark: 100, clock: 'payments' },
        { offset: 5, otherOffsets: [2], watermark: 200, clock: 'orders' },
        { offset: 6, otherOffsets: [0], watermark: 50 },
      ]
      const end = { offset: 5, otherOffsets: [2], watermark: 200 }
      const claim = await committed(checkpoint(7, { idleAdvances: [...advances].reverse(), inputEnds: [end] }))
      await store.commit(claim, checkpoint(8, { idleAdvances: advances.slice(2) }))
      const first = { offset: 0, watermark: Number.MIN_SAFE_INTEGER, isEnd: false }
      const all = await store.recordedSteps(task, first, 10)
      const notEnd = advances.map((step) => ({ ...step, isEnd: false }))
      expect(all).toHaveLength(6)
      expect(all).toEqual(expect.arrayContaining([...notEnd, { ...end, isEnd: true }]))
      const places = all.map(({ offset, otherOffsets, watermark, isEnd }) => [offset, otherOffsets, watermark, isEnd])
      expect(places).toEqual([
        [5, [1], 900, false],
        [5, [2], 100, false],
        [5, [2], 100, false],
        [5, [2], 200, false],
        [5, [2], 200, true],
        [6, [0], 50, false],
      ])
      for (const [i, step] of all.entries()) {
        expect(await store.recordedSteps(task, step, 2)).toEqual(all.slice(i + 1, i + 3))
      }
    })

    describe('an outbox', () => {
      const everything = { after: 0, maxMessages: 100_000, maxBytes: 1 << 30 }
      const message = (sequence: number, rest: Partial<StoredMessage> = {}): StoredMessage => ({
        sequence,
        time: 1_723_075_200_000 + sequence,
        key: Uint8Array.of(sequence),
        value: Uint8Array.of(1, 2, 3),
        headers: [],
        ...rest,
      })
      const from = (first: number, last: number) =>
        Array.from({ length: last - first + 1 }, (_, i) => message(first + i))
      const emitting = (nextOffset: number, messages: readonly StoredMessage[], outlet = 'alerts') =>
        checkpoint(nextOffset, { messages: [{ outlet, messages }] })
      const sequences = (messages: readonly StoredMessage[]) => messages.map(({ sequence }) => sequence)
      const waiting = async (claim: Claim, page = everything, outlet = 'alerts') =>
        (await store.outbox.read(claim, outlet, page)).map((one) => ({
          ...one,
          key: plain(one.key),
          value: plain(one.value),
          headers: (one.headers ?? []).map(({ key, value }) => ({ key, value: plain(value) })),
        }))

      test('gives messages as they were committed, in order, and each outlet and task its own', async () => {
        const claim = await committed(
          emitting(1, from(1, 2)),
          emitting(2, [message(3)]),
          emitting(3, [message(1, { value: null })], hostile),
        )
        expect(await waiting(claim)).toEqual(from(1, 3))
        expect(await waiting(claim, everything, hostile)).toEqual([message(1, { value: null })])
        const other = await store.claim({ ...task, partition: 1 })
        expect(await waiting(other)).toEqual([])
      })

      test('keeps whatever bytes there are; null and empty differ', async () => {
        const messages = [
          message(1, { key: null, value: null }),
          message(2, { key: new Uint8Array(), value: new Uint8Array() }),
          message(3, {
            key: everyByte,
            value: everyByte,
            time: -1,
            headers: [
              { key: hostile, value: everyByte },
              { key: 'null', value: null },
              { key: '', value: new Uint8Array() },
            ],
          }),
        ]
        expect(await waiting(await committed(emitting(1, messages)))).toEqual(messages)
      })

      test('has what was committed, whatever becomes of the bytes', async () => {
        const value = Uint8Array.of(1)
        const claim = await committed(emitting(1, [message(1, { value })]))
        value.fill(9)
        expect((await waiting(claim))[0]?.value).toEqual(Uint8Array.of(1))
      })

      test('has nothing of a checkpoint that was not stored', async () => {
        const older = await committed(emitting(1, from(1, 1)))
        const newer = await store.claim(task)
        await expect(store.commit(older, emitting(2, from(2, 2)))).rejects.toBeInstanceOf(TaskFencedError)
        const failing = checkpoint(2, {
          messages: [{ outlet: 'alerts', messages: from(2, 2) }],
          writes: [bars({ price: 'x' })],
        })
        await expect(store.commit(newer, failing)).rejects.toBeInstanceOf(ConfigurationError)
        expect(await waiting(newer)).toEqual(from(1, 1))
      })

      test('is read in pages, by number and by bytes, and one message comes even when it is larger', async () => {
        const large = message(3, { value: new Uint8Array(1_000) })
        const headed = message(5, { headers: [{ key: 'a', value: new Uint8Array(900) }] })
        const claim = await committed(emitting(1, [...from(1, 2), large, message(4), headed, message(6)]))
        const page = (after: number, maxMessages: number, maxBytes: number) =>
          waiting(claim, { after, maxMessages, maxBytes }).then(sequences)
        expect(await page(0, 2, 1 << 20)).toEqual([1, 2])
        expect(await page(2, 100, 10)).toEqual([3])
        expect(await page(0, 100, 500)).toEqual([1, 2])
        expect(await page(3, 100, 500)).toEqual([4])
        expect(await page(0, 100, 1 << 20)).toEqual([1, 2, 3, 4, 5, 6])
        expect(await page(6, 100, 1 << 20)).toEqual([])
      })

      test('takes a message of an identity once, ever, by pipeline and outlet', async () => {
        const say = (sequence: number, identity: string) => message(sequence, { identity })
        const claim = await committed(
          emitting(1, [say(1, 'a'), message(2), say(3, hostile), say(4, 'a')]),
          emitting(2, [say(1, 'a')], 'other'),
        )
        expect(sequences(await waiting(claim))).toEqual([1, 2, 3])
        expect(sequences(await waiting(claim, everything, 'other'))).toEqual([1])
        await store.outbox.forget(task, 'alerts', 4)
        await store.commit(claim, emitting(3, [say(5, hostile), say(6, 'b'), say(7, 'a')]))
        expect(sequences(await waiting(claim))).toEqual([6])
        const other = await store.claim({ ...task, partition: 1 })
        await store.commit(other, emitting(1, [say(1, 'b'), say(2, 'c')]))
        expect(sequences(await waiting(other))).toEqual([2])
      })

      test('forgets up to a number, as often as it is told', async () => {
        const claim = await committed(emitting(1, from(1, 5)), emitting(2, from(1, 2), 'other'))
        for (let time = 0; time < 2; time++) await store.outbox.forget(task, 'alerts', 3)
        expect(sequences(await waiting(claim))).toEqual([4, 5])
        expect(sequences(await waiting(claim, everything, 'other'))).toEqual([1, 2])
      })

      test('holds more messages than one statement takes, and large ones', async () => {
        const many = [
          ...from(1, 2_500),
          ...[2_501, 2_502, 2_503].map((n) => message(n, { value: new Uint8Array(9 << 20) })),
        ]
        const claim = await committed(emitting(1, many))
        expect(sequences(await store.outbox.read(claim, 'alerts', everything))).toEqual(sequences(many))
      })

      test('turns away whose claim is no longer the newest', async () => {
        const older = await committed(emitting(1, from(1, 1)))
        const newer = await store.claim(task)
        await expect(store.outbox.read(older, 'alerts', everything)).rejects.toBeInstanceOf(TaskFencedError)
        expect(await waiting(newer)).toHaveLength(1)
      })

      test('sets refused messages apart, which stay when the others are forgotten', async () => {
        const claim = await committed(emitting(1, from(1, 4)))
        await store.outbox.refuse(task, 'alerts', 2, hostile, 1_723_075_200_123)
        await store.outbox.refuse(task, 'alerts', 3, '422', 1_723_075_200_456)
        await store.outbox.refuse(task, 'alerts', 9, 'is not there', 1)
        expect(sequences(await waiting(claim))).toEqual([1, 4])
        await store.outbox.forget(task, 'alerts', 4)
        expect(await waiting(claim)).toEqual([])
        const refused = await store.outbox.refused(task, 'alerts', everything)
        expect(
          refused.map(({ sequence, refusal, refusedAt, isRetried }) => ({ sequence, refusal, refusedAt, isRetried })),
        ).toEqual([
          { sequence: 2, refusal: hostile, refusedAt: 1_723_075_200_123, isRetried: false },
          { sequence: 3, refusal: '422', refusedAt: 1_723_075_200_456, isRetried: false },
        ])
        expect(plain(refused[0]!.value)).toEqual(Uint8Array.of(1, 2, 3))
        expect(sequences(await store.outbox.refused(task, 'alerts', { ...everything, after: 2 }))).toEqual([3])
        expect(await store.outbox.countRefused(task, 'alerts')).toBe(2)
        expect(await store.outbox.countRefused(task, 'other')).toBe(0)
      })

      test('gives refused messages again to who asks for what is to be retried, until they are refused anew or forgotten', async () => {
        const { outbox } = store
        await committed(emitting(1, from(1, 4)))
        for (const sequence of [1, 2, 4]) await outbox.refuse(task, 'alerts', sequence, 'no', 1)
        const retried = async () => sequences(await outbox.retried(task, 'alerts', everything))
        expect(await retried()).toEqual([])
        expect(await outbox.retryRefused(task, 'alerts', [2, 3, 7])).toBe(1)
        expect(await retried()).toEqual([2])
        expect(await outbox.retryRefused(task, 'alerts')).toBe(3)
        expect(await retried()).toEqual([1, 2, 4])
        expect((await outbox.refused(task, 'alerts', everything)).map(({ isRetried }) => isRetried)).toEqual([
          true,
          true,
          true,
        ])
        await outbox.refuse(task, 'alerts', 2, 'no again', 2)
        await outbox.forgetRefused(task, 'alerts', 1)
        await outbox.forgetRefused(task, 'alerts', 3)
        expect(await retried()).toEqual([4])
        expect(sequences(await outbox.refused(task, 'alerts', everything))).toEqual([2, 4])
      })
    })

    test('claims and commits that race leave one owner and every stored offset its own', async () => {
      const results = await Promise.all(
        Array.from({ length: 6 }, async (_, i) => {
          const claim = await store.claim(task)
          const result = await store.commit(claim, checkpoint(10, { writes: [bars({ day: String(i) })] })).then(
            () => 'stored',
            (error: unknown) => error,
          )
          return { generation: claim.generation, result }
        }),
      )
      expect(new Set(results.map(({ generation }) => generation)).size).toBe(6)
      for (const { result } of results) if (result !== 'stored') expect(result).toBeInstanceOf(TaskFencedError)
      const last = results.reduce((a, b) => (a.generation > b.generation ? a : b))
      expect(last.result).toBe('stored')
      expect(await storedBars()).toHaveLength(results.filter(({ result }) => result === 'stored').length)
    })
  })
}
