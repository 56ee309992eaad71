import type pg from 'pg'
import { StateInventory } from '../../runtime/state/stateInventory.ts'
import type { StateFrame } from '../../runtime/store/checkpoint.ts'
import { unescapeText } from './columnText.ts'

/** A task that has committed. */
export interface SavedTask {
  readonly pipeline: string
  readonly topic: string
  readonly partition: number
  readonly nextOffset: number
}

/** A frame and its place among those of the task. */
export interface StoredFrame extends StateFrame {
  readonly sequence: string
}

const tasks = `SELECT pipeline, topic, partition, next_offset::float8 AS "nextOffset" FROM stream_task
WHERE next_offset IS NOT NULL AND ($1::text IS NULL OR pipeline = $1) ORDER BY pipeline, topic, partition`

const sequences = `SELECT sequence FROM task_state WHERE pipeline = $1 AND topic = $2 AND partition = $3 ORDER BY sequence`

const frame = `SELECT kind, body FROM task_state WHERE pipeline = $1 AND topic = $2 AND partition = $3 AND sequence = $4`

/** The tasks of the pipeline that have committed anything, or of every pipeline. */
export async function savedTasks(client: pg.ClientBase, pipeline: string | null): Promise<readonly SavedTask[]> {
  return (await client.query<SavedTask>(tasks, [pipeline])).rows
}

/** The frames of a task, oldest first, one at a time: a state may be large. For a transaction in which they stay. */
export async function* storedFrames(
  client: pg.ClientBase,
  task: Omit<SavedTask, 'nextOffset'>,
): AsyncGenerator<StoredFrame> {
  const { pipeline, topic, partition } = task
  const key = [pipeline, topic, partition]
  const { rows } = await client.query<{ sequence: string }>(sequences, key)
  for (const { sequence } of rows) {
    const [found] = (await client.query<StateFrame>(frame, [...key, sequence])).rows
    if (found !== undefined) yield { sequence, kind: found.kind, body: unescapeText(found.body) }
  }
}

/** What a task has saved for each of its operators. */
export async function inventoryOf(client: pg.ClientBase, task: Omit<SavedTask, 'nextOffset'>): Promise<StateInventory> {
  const inventory = new StateInventory()
  for await (const stored of storedFrames(client, task)) inventory.add(stored)
  return inventory
}

/** Runs `read` on the database as it was at one moment. */
export async function atOneMoment<T>(client: pg.ClientBase, read: () => Promise<T>): Promise<T> {
  await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY')
  try {
    return await read()
  } finally {
    await client.query('ROLLBACK')
  }
}

/** Runs `write` in one transaction: all of it or, where it throws, nothing. */
export async function inOneTransaction<T>(
  client: pg.ClientBase,
  isolation: 'READ COMMITTED' | 'REPEATABLE READ',
  write: () => Promise<T>,
): Promise<T> {
  await client.query(`BEGIN ISOLATION LEVEL ${isolation}`)
  try {
    const result = await write()
    await client.query('COMMIT')
    return result
  } catch (error) {
    await client.query('ROLLBACK')
    throw error
  }
}
