import type pg from 'pg'
import { withoutOperator } from '../../runtime/state/savedState.ts'
import { countStateBytesText } from './checkpointStatements.ts'
import { escapeText } from './columnText.ts'
import { inOneTransaction, type SavedTask, storedFrames } from './savedTasks.ts'

/** What a pipeline keeps besides its operators' state, and what stays when that is dropped. */
export interface KeptBeside {
  /** Messages that are stored and not sent; they go. */
  readonly unsent: number
  readonly deadLetters: number
  /** Of them those that were redriven: their records are in the log a second time. */
  readonly redriven: number
  readonly archiveObjects: number
  /** About offsets that are left out; they hold for the next start as well. */
  readonly decisions: number
  /** What operators were answered from outside, which the next run takes instead of asking. */
  readonly answers: number
}

type Fenced = Omit<SavedTask, 'nextOffset'>

const ofTopic = '($2::text IS NULL OR topic = $2)'

const beside = `
SELECT (SELECT count(*) FROM outbox WHERE pipeline = $1 AND ${ofTopic})::float8 AS unsent,
       (SELECT count(*) FROM dead_letter WHERE pipeline = $1 AND ${ofTopic})::float8 AS "deadLetters",
       (SELECT count(*) FROM dead_letter WHERE pipeline = $1 AND ${ofTopic} AND redriven_at IS NOT NULL)::float8 AS redriven,
       (SELECT count(*) FROM archive_object WHERE pipeline = $1 AND ${ofTopic})::float8 AS "archiveObjects",
       (SELECT count(*) FROM skipped_range WHERE pipeline = $1 AND ${ofTopic} AND kind <> 'rewind' AND taken_back_at IS NULL)::float8 AS decisions,
       (SELECT count(*) FROM lookup_answer WHERE pipeline = $1 AND ${ofTopic})::float8 AS answers`

// The generation has to outlive what is dropped: a worker that is still at it must not be taken for the next one. Messages are counted anew, so they are of another outbox.
const emptyTasks = `
UPDATE stream_task SET generation = generation + 1, owner = '', next_offset = NULL, watermark = NULL, archive_next_offset = NULL,
  state_bytes = 0, committed_at = NULL, log_id = NULL, topic_partitions = NULL, leader_epoch = NULL, outbox_id = gen_random_uuid(),
  is_outbox_named = true
WHERE pipeline = $1 AND ${ofTopic} AND (owner <> '' OR next_offset IS NOT NULL) RETURNING pipeline, topic, partition`

const fenceTasks = `
UPDATE stream_task SET generation = generation + 1, owner = '' WHERE pipeline = $1 AND ${ofTopic} AND next_offset IS NOT NULL
RETURNING pipeline, topic, partition`

/** What belongs to the checkpoints of a task. */
const parts = ['task_state', 'task_input', 'idle_advance', 'merge_note', 'outbox']

const emptyPart = (table: string) => `
DELETE FROM ${table} USING unnest($2::text[], $3::int[]) AS fenced (topic, partition)
WHERE pipeline = $1 AND (${table}.topic, ${table}.partition) = (fenced.topic, fenced.partition)`

/** What was never sent may be said again. */
const forgetUnsent = `
DELETE FROM message_identity AS said USING outbox, unnest($2::text[], $3::int[]) AS fenced (topic, partition)
WHERE outbox.pipeline = $1 AND (outbox.topic, outbox.partition) = (fenced.topic, fenced.partition)
  AND (said.pipeline, said.outlet, said.identity) = (outbox.pipeline, outbox.outlet, outbox.identity)`

const replaceFrame = `UPDATE task_state SET body = $5 WHERE pipeline = $1 AND topic = $2 AND partition = $3 AND sequence = $4`

/** @param topic of the leading input; null for all */
export async function keptBeside(client: pg.ClientBase, pipeline: string, topic: string | null): Promise<KeptBeside> {
  const { rows } = await client.query<KeptBeside>(beside, [pipeline, topic])
  return rows[0] ?? { unsent: 0, deadLetters: 0, redriven: 0, archiveObjects: 0, decisions: 0, answers: 0 }
}

/**
 * Drops where the pipeline stands and all that it keeps for going on: the next start is a first one. A worker that still runs is fenced, so that nothing of it is
 * committed afterwards. Rows, dead letters, decisions about offsets, recorded answers and the archive with its manifest stay.
 * @param topic of the leading input, whose tasks alone are meant; null for all
 * @returns how many tasks there were
 */
export async function dropState(client: pg.ClientBase, pipeline: string, topic: string | null = null): Promise<number> {
  return inOneTransaction(client, 'READ COMMITTED', async () => {
    const { rows } = await client.query<Fenced>(emptyTasks, [pipeline, topic])
    const values = [pipeline, rows.map(({ topic }) => topic), rows.map(({ partition }) => partition)]
    await client.query(forgetUnsent, values)
    for (const table of parts) await client.query(emptyPart(table), values)
    return rows.length
  })
}

/**
 * Drops what the pipeline has saved for one operator, recorded answers included, which begins empty at the next start; the others go on. A worker that still runs is fenced.
 * @returns in how many tasks there was something
 */
export async function dropOperatorState(
  client: pg.ClientBase,
  pipeline: string,
  topic: string | null,
  operator: string,
): Promise<number> {
  return inOneTransaction(client, 'READ COMMITTED', async () => {
    let tasks = 0
    // From here on nobody else writes frames of these tasks.
    const { rows } = await client.query<Fenced>(fenceTasks, [pipeline, topic])
    for (const task of rows) {
      const key = [task.pipeline, task.topic, task.partition]
      let isFound = false
      for await (const frame of storedFrames(client, task)) {
        const without = withoutOperator(frame, operator)
        if (without === null) continue
        isFound = true
        await client.query(replaceFrame, [...key, frame.sequence, escapeText(without.body)])
      }
      if (!isFound) continue
      tasks += 1
      await client.query(countStateBytesText, key)
    }
    await client.query(`DELETE FROM lookup_answer WHERE pipeline = $1 AND ${ofTopic} AND operator = $3`, [
      pipeline,
      topic,
      escapeText(operator),
    ])
    return tasks
  })
}
