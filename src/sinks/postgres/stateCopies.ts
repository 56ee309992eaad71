import type pg from 'pg'
import { ConfigurationError } from '../../runtime/errors.ts'
import { handOver, ownedRows, tablesOf } from './rowHandover.ts'
import { inOneTransaction, savedTasks } from './savedTasks.ts'

/** What was copied. */
export interface CopiedState {
  readonly tasks: number
  /** Of the state of the operators. */
  readonly bytes: number
  /** Messages that the old pipeline has stored and not sent; it sends them, under its own name. */
  readonly unsent: number
  /** Rows that have gone with the state; 0 where they were not to. */
  readonly rows: number
  /** Upsert tables of the old pipeline, whose rows stay its own where they were not to go. */
  readonly tables: readonly string[]
}

// A row that is there already was claimed and never committed in, or dropped: the copy takes it over, and raises its generation.
const copyTasks = `
INSERT INTO stream_task AS t (pipeline, topic, partition, generation, owner, claimed_at, next_offset, watermark, archive_next_offset,
  state_bytes, committed_at, log_id, topic_partitions, leader_epoch)
SELECT $2, topic, partition, 0, '', now(), next_offset, watermark, archive_next_offset, state_bytes, now(), log_id, topic_partitions, leader_epoch
FROM stream_task WHERE pipeline = $1 AND next_offset IS NOT NULL
ON CONFLICT (pipeline, topic, partition) DO UPDATE SET generation = t.generation + 1, owner = excluded.owner, claimed_at = excluded.claimed_at,
  next_offset = excluded.next_offset, watermark = excluded.watermark, archive_next_offset = excluded.archive_next_offset,
  state_bytes = excluded.state_bytes, committed_at = excluded.committed_at, log_id = excluded.log_id, topic_partitions = excluded.topic_partitions,
  leader_epoch = excluded.leader_epoch`

/** What belongs to the checkpoints of a task. The recorded steps, merge notes and answers are there for a replay of the new pipeline from the beginning of the log. */
const parts: readonly (readonly [table: string, columns: string])[] = [
  ['task_state', 'sequence, kind, body'],
  ['task_input', 'input_topic, input_partition, next_offset, archive_next_offset, log_id, leader_epoch'],
  ['idle_advance', '"offset", watermark, is_end, others, sequence, clock'],
  ['merge_note', 'input, "offset", is_first, offsets'],
  ['lookup_answer', 'input, "offset", operator, ordinal, key, at, answer, is_failure'],
]

const copyPart = (table: string, columns: string) => `
INSERT INTO ${table} (pipeline, topic, partition, ${columns})
SELECT $2, topic, partition, ${columns} FROM ${table} WHERE pipeline = $1`

// A copy holds what its original does, so the rows of that may be its own, and so may what was given away before that began.
const copyOwners = `
INSERT INTO row_owner AS o (pipeline, topic, partition, begun_after, copy_of)
SELECT $2, topic, partition, begun_after, id FROM row_owner WHERE pipeline = $1
ON CONFLICT (pipeline, topic, partition) DO UPDATE SET begun_after = excluded.begun_after, copy_of = excluded.copy_of`

const size = `SELECT coalesce(sum(state_bytes), 0)::float8 AS bytes, (SELECT count(*) FROM outbox WHERE pipeline = $1)::float8 AS unsent
FROM stream_task WHERE pipeline = $1`

/**
 * Copies where a pipeline stands, and what it keeps, under another name: started under it, a pipeline goes on from there. All partitions are
 * of one moment; the old pipeline may run meanwhile and is not disturbed. Rows, dead letters, the manifest of the archive and messages that are not sent stay with the old one. The
 * numbers of an outlet's messages go on, and identify them together with the new name.
 * @param withRows true where the rows of the upsert tables of the old pipeline are to be the new one's from now on; then the old one has to be stopped
 * @throws ConfigurationError where the old pipeline has no checkpoint, or the new one has one; nothing is copied then
 */
export async function copyState(
  client: pg.ClientBase,
  from: string,
  to: string,
  withRows = false,
): Promise<CopiedState> {
  return inOneTransaction(client, 'REPEATABLE READ', async () => {
    const tasks = await savedTasks(client, from)
    if (tasks.length === 0) {
      throw new ConfigurationError(`pipeline ${from} has no checkpoint, so there is nothing to copy`, {
        pipeline: from,
      })
    }
    const [there] = await savedTasks(client, to)
    if (there !== undefined) {
      throw new ConfigurationError(
        `pipeline ${to} has a checkpoint of its own (${there.topic}/${there.partition} at offset ${there.nextOffset}): ` +
          `choose another name, or drop what it keeps with \`millrace state drop --pipeline ${to}\``,
        { pipeline: to },
      )
    }
    await client.query(copyTasks, [from, to])
    await client.query(copyOwners, [from, to])
    // Answers outlive what is dropped, and those of an earlier life of the name say nothing of this one.
    await client.query('DELETE FROM lookup_answer WHERE pipeline = $1', [to])
    for (const [table, columns] of parts) await client.query(copyPart(table, columns), [from, to])
    const { rows } = await client.query<{ bytes: number; unsent: number }>(size, [from])
    const tables = await tablesOf(client, from)
    const handed = withRows
      ? await handOver(client, await ownedRows(client, tables, { pipeline: from }, { pipeline: to }))
      : 0
    return { tasks: tasks.length, bytes: rows[0]?.bytes ?? 0, unsent: rows[0]?.unsent ?? 0, rows: handed, tables }
  })
}
