import { afterAll, beforeAll, expect, it } from 'vitest'
import { framesOf, keptFrames } from '../../../src/runtime/state/frameChain.ts'
import type { Checkpoint, StateFrame } from '../../../src/runtime/store/checkpoint.ts'
import { PostgresCheckpointStore } from '../../../src/sinks/postgres/checkpointStore.ts'
import { type TestDatabase, testDatabase } from '../../support/postgres.ts'

const task = { pipeline: 'portions', topic: 't', partition: 0 }
const checkpoint = (nextOffset: number, state: StateFrame, portion?: StateFrame): Checkpoint => ({
  ...{ nextOffset, watermark: null, archiveNextOffset: null, state, writes: [], deadLetters: [], objects: [] },
  ...{ idleAdvances: [], ...(portion === undefined ? {} : { portion }) },
})

let db: TestDatabase
let store: PostgresCheckpointStore

beforeAll(async () => {
  db = await testDatabase()
  store = new PostgresCheckpointStore(db.connection, { schema: db.schema })
})

afterAll(async () => {
  await store?.close()
  await db?.close()
})

const stored = async () => {
  const { rows } = await db.pool.query<{ kind: string; bytes: string; state_bytes: string }>(
    `SELECT f.kind, octet_length(f.body) AS bytes, t.state_bytes FROM task_state f JOIN stream_task t USING (pipeline, topic, partition)
     WHERE pipeline = $1 ORDER BY sequence`,
    [task.pipeline],
  )
  return {
    kinds: rows.map(({ kind }) => kind),
    bytes: rows.reduce((sum, { bytes }) => sum + Number(bytes), 0),
    told: Number(rows[0]?.state_bytes),
  }
}

it('a task tells the bytes of all frames that are kept, with each portion and once those before the first are gone', async () => {
  const claim = await store.claim(task)
  let frames: readonly StateFrame[] = []
  let n = 0
  for (const kinds of [
    'base',
    'delta',
    'delta first',
    'delta further',
    'delta first',
    'delta last',
    'delta first',
    'delta',
    'delta base',
    'delta',
  ]) {
    const [state, portion] = kinds.split(' ').map((kind) => {
      n += 1
      return { kind, body: 'ä'.repeat(n) } as StateFrame
    })
    const one = checkpoint(n, state as StateFrame, portion)
    await store.commit(claim, one)
    frames = keptFrames(frames, framesOf(one))
    const { kinds: found, bytes, told } = await stored()
    expect(found).toEqual(frames.map(({ kind }) => kind))
    expect(told).toBe(bytes)
  }
})

it('a checkpoint with the last portion that is not stored leaves what was there, and is stored when it is tried again', async () => {
  const frame = (kind: StateFrame['kind'], body: string): StateFrame => ({ kind, body })
  const claim = await store.claim(task)
  await store.commit(claim, checkpoint(101, frame('base', 'b')))
  await store.commit(claim, checkpoint(102, frame('delta', 'd'), frame('first', 'f')))
  const last = checkpoint(103, frame('delta', 'd'), frame('last', 'l'))
  const before = await stored()
  await db.pool.query(`ALTER TABLE idle_advance RENAME TO away`)
  const failing = store.commit(claim, { ...last, idleAdvances: [{ offset: 103, watermark: 1 }] })
  await expect(failing).rejects.toThrow('idle_advance')
  await db.pool.query(`ALTER TABLE away RENAME TO idle_advance`)
  expect(await stored()).toEqual(before)
  await store.commit(claim, last)
  expect((await stored()).kinds).toEqual(['first', 'delta', 'last'])
})
