import { hostname } from 'node:os'
import pg from 'pg'
import {
  ConfigurationError,
  DeterminismError,
  type MillraceError,
  RetryableError,
  TaskFencedError,
} from '../../runtime/errors.ts'
import type { LookupAnswer } from '../../runtime/store/answers.ts'
import type {
  Checkpoint,
  CheckpointStore,
  Claim,
  InputPosition,
  MergeNote,
  RecordedStep,
  SavedCheckpoint,
  SkippedRange,
  StateFrame,
  TaskId,
} from '../../runtime/store/checkpoint.ts'
import { ForeignRowsError, ownerText } from '../../runtime/store/foreignRows.ts'
import { otherPlaces, placeName } from '../../runtime/store/inputPlace.ts'
import type { Outbox } from '../../runtime/store/outbox.ts'
import type { OpenPacker } from '../../runtime/store/packedRows.ts'
import { type PartitionGrowth, partitionsChanged } from '../../runtime/store/partitionGrowth.ts'
import {
  answerSteps,
  archivedStatement,
  claimStatement,
  deadLetterSteps,
  explainFenceStatement,
  fenceStep,
  firstClaimTurnStatement,
  inputSteps,
  knownPartitionsStatement,
  mergeNotesStep,
  objectStep,
  readAnswersStatement,
  readInputsStatement,
  readNotesStatement,
  readSkippedStatement,
  readStateStatement,
  readStepsStatement,
  recordedStepsStep,
  stateSteps,
} from './checkpointStatements.ts'
import { unescapeText } from './columnText.ts'
import { openPool, type PoolOptions, type PostgresAddress } from './connection.ts'
import { CopyPacker } from './copyPacker.ts'
import { PostgresOutbox } from './outbox.ts'
import { messageSteps } from './outboxStatements.ts'
import { claimOwnerStatement, foreignRows } from './rowOwners.ts'
import { runTransaction } from './runSteps.ts'
import type { Step } from './step.ts'
import { writeSteps } from './tableWriter.ts'
import { together, withClient } from './withClient.ts'

/** Postgres's own int8 text; null stays null. */
type Int8 = string

interface TaskRow {
  readonly generation: Int8
  readonly next_offset: Int8 | null
  readonly watermark: Int8 | null
  readonly archive_next_offset: Int8 | null
  readonly log_id: string | null
  readonly leader_epoch: number | null
  readonly outbox_id: string
  readonly is_outbox_named: boolean
  readonly commits: Int8
}

/** What is asked of it where a commit was refused. */
type OwnedRow = Pick<TaskRow, 'generation' | 'next_offset' | 'archive_next_offset' | 'commits'> & {
  readonly owner: string
}

interface InputRow {
  readonly input_topic: string
  readonly input_partition: number
  readonly next_offset: Int8
  readonly archive_next_offset: Int8 | null
  readonly log_id: string | null
  readonly leader_epoch: number | null
}

interface SkippedRow {
  readonly input_topic: string
  readonly input_partition: number
  readonly fromOffset: number
  readonly toOffset: number
}

interface NoteRow extends Omit<MergeNote, 'isFirst'> {
  readonly isFirst: boolean
}

interface StepRow extends RecordedStep {
  readonly others: readonly number[]
  readonly clock: string
  readonly sequence: number
}

/** What a claim of this store knows besides: the number of the task in `row_owner`. */
interface OwnersClaim extends Claim {
  readonly rowOwner: number
}

/**
 * Keeps checkpoints in PostgreSQL, each in one transaction: rows, dead letters, manifest, state and next offset become visible together or
 * not at all.
 *
 * A commit is one round trip. Where it has no rows of append tables and is not large, it is one piece of bytes that the server answers once, in a transaction of its own; else every statement is sent at once, rows and COMMIT included, each with an answer of its own, and only
 * what is very large in several turns. A statement that fails, the fence first of all, makes PostgreSQL roll the rest back. Connections that saw a failure other than a refused statement are closed.
 */
export class PostgresCheckpointStore implements CheckpointStore {
  readonly outbox: Outbox
  /** A table's rows become the text of COPY as they come. */
  readonly openPacker: OpenPacker = (table) => new CopyPacker(table)
  readonly #pool: pg.Pool
  /** How many checkpoints the newest claim of each task has stored. */
  readonly #commits = new Map<string, { readonly generation: number; count: number }>()
  readonly #owner = `${hostname()}:${process.pid}`

  constructor(address: PostgresAddress, options: PoolOptions) {
    const named = { applicationName: 'millrace checkpoints', ...options }
    this.#pool = openPool(address, { ...named, isPipelined: true })
    this.outbox = new PostgresOutbox(this.#pool)
  }

  async claim(task: TaskId, topicPartitions?: number, growth: PartitionGrowth = 'refuse'): Promise<Claim> {
    const partitions = topicPartitions ?? null
    try {
      return await withClient(this.#pool, `claim ${nameOf(task)}`, task, async (client) => {
        const [, , claimed, owners, state, inputs, archived, skipped] = await together(client, () => [
          client.query('BEGIN'),
          client.query(firstClaimTurnStatement(task, partitions)),
          client.query<TaskRow>(claimStatement(task, this.#owner, partitions, growth)),
          client.query<{ id: number }>(claimOwnerStatement(task)),
          client.query<StateFrame>(readStateStatement(task)),
          client.query<InputRow>(readInputsStatement(task)),
          client.query<{ until: number | null }>(archivedStatement(task)),
          client.query<SkippedRow>(readSkippedStatement(task)),
          client.query('COMMIT'),
        ])
        const row = claimed.rows[0]!
        const restored = restoredFrom(task, row, state.rows, inputs.rows)
        const generation = Number(row.generation)
        this.#commits.set(nameOf(task), { generation, count: 0 })
        const made: OwnersClaim = {
          task,
          generation,
          restored,
          commits: Number(row.commits),
          outbox: { id: row.outbox_id, isInName: row.is_outbox_named },
          rowOwner: owners.rows[0]!.id,
          ...archivedBefore(restored, archived.rows),
          skipped: skippedOf(task, skipped.rows),
        }
        return made
      })
    } catch (error) {
      if (partitions === null || codeOf((error as MillraceError).cause) !== 'MR003') throw error
      throw await this.#explainPartitions(task, partitions, error)
    }
  }

  async commit(claim: Claim, checkpoint: Checkpoint): Promise<void> {
    const { task } = claim
    const doing = `commit ${nameOf(task)} up to offset ${checkpoint.nextOffset}`
    const stored = this.#storedBy(claim)
    const commits = (claim.commits ?? 0) + stored.count
    const steps = stepsOf(claim, checkpoint, commits)
    try {
      await withClient(this.#pool, doing, task, (client) => runTransaction(client, steps))
      stored.count += 1
      for (const { packed } of checkpoint.writes) packed?.release()
    } catch (error) {
      const refusal = codeOf((error as MillraceError).cause)
      if (refusal === 'MR004') throw await this.#explainRows(claim, checkpoint, error)
      if (refusal === 'MR001') throw await this.#explainFence(claim, checkpoint, commits, error)
      if (refusal === 'MR002') {
        const { message } = (error as MillraceError).cause as Error
        throw new DeterminismError(`could not ${doing}: ${message}`, { ...task, cause: error })
      }
      if (!(error instanceof ConfigurationError)) throw error
      // What does not fit a table fails before the fence runs, for all statements are there before the first one is.
      throw lostClaim(claim, await this.#readTask(task), commits, error) ?? error
    }
  }

  recordedSteps(task: TaskId, after: RecordedStep, limit: number): Promise<readonly RecordedStep[]> {
    return withClient(this.#pool, `read the idle steps of ${nameOf(task)}`, task, async (client) => {
      const { rows } = await client.query<StepRow>(readStepsStatement(task, after, limit))
      return rows.map(({ others, clock, sequence, ...step }) => ({
        ...step,
        ...(sequence === 0 ? {} : { sequence }),
        ...(others.length === 0 ? {} : { otherOffsets: others }),
        ...(clock === '' ? {} : { clock: unescapeText(clock) }),
      }))
    })
  }

  mergeNotes(task: TaskId, input: number, fromOffset: number, limit: number): Promise<readonly MergeNote[]> {
    return withClient(this.#pool, `read the merge notes of ${nameOf(task)}`, task, async (client) => {
      const { rows } = await client.query<NoteRow>(readNotesStatement(task, input, fromOffset, limit))
      return rows.map(({ isFirst, ...note }) => (isFirst ? { ...note, isFirst } : note))
    })
  }

  answers(task: TaskId, input: number, fromOffset: number, limit: number): Promise<readonly LookupAnswer[]> {
    return withClient(this.#pool, `read the answers of ${nameOf(task)}`, task, async (client) => {
      const { rows } = await client.query<LookupAnswer>(readAnswersStatement(task, input, fromOffset, limit))
      return rows.map(({ operator, key, answer, ...row }) => ({
        ...row,
        operator: unescapeText(operator),
        key: unescapeText(key),
        answer: unescapeText(answer),
      }))
    })
  }

  async close(): Promise<void> {
    await this.#pool.end()
  }

  #storedBy({ task, generation }: Claim): { count: number } {
    const known = this.#commits.get(nameOf(task))
    if (known?.generation === generation) return known
    // Of a claim that another store of this database has made, or of one that is over, which the fence will say.
    const stored = { generation, count: 0 }
    if (known === undefined) this.#commits.set(nameOf(task), stored)
    return stored
  }

  async #explainPartitions(task: TaskId, now: number, cause: unknown): Promise<MillraceError> {
    const doing = `read the partitions of ${task.topic}`
    const before = await withClient(this.#pool, doing, task, async (client) => {
      const { rows } = await client.query<{ partitions: number }>(knownPartitionsStatement(task))
      return rows[0]!.partitions
    })
    return partitionsChanged(task, before, now, cause)
  }

  async #explainRows(claim: Claim, { writes, nextOffset }: Checkpoint, cause: unknown): Promise<MillraceError> {
    const { task } = claim
    const place = { ...task, offset: nextOffset, cause }
    const doing = `look whose rows they are that ${nameOf(task)} would write`
    const rows = await withClient(this.#pool, doing, task, (client) => foreignRows(client, writes, ownerOf(claim)))
    const [first] = rows
    if (first === undefined)
      return new RetryableError(`rows of ${nameOf(task)} belonged to another task a moment ago; try again`, place)
    const { name } = (writes[first.write] as Checkpoint['writes'][number]).table
    return new ForeignRowsError(
      `${nameOf(task)} would replace ${rows.length} ${rows.length === 1 ? 'row' : 'rows'} of other tasks, the first in table ${name} of ${ownerText(first.owner)}; nothing was stored. ` +
        'The records of a key have to come by one partition: see "Records of a key in two partitions" in docs/connect/kafka.md',
      rows,
      place,
    )
  }

  async #explainFence(claim: Claim, checkpoint: Checkpoint, commits: number, cause: unknown): Promise<MillraceError> {
    const { task } = claim
    const row = await this.#readTask(task)
    return (
      lostClaim(claim, row, commits, cause) ??
      new DeterminismError(
        `${nameOf(task)} is stored up to offset ${row?.next_offset} (archive: ${row?.archive_next_offset}); ` +
          `a checkpoint up to ${checkpoint.nextOffset} (archive: ${checkpoint.archiveNextOffset}) would go back, nothing was stored`,
        { ...task, offset: checkpoint.nextOffset, cause },
      )
    )
  }

  #readTask(task: TaskId): Promise<OwnedRow | undefined> {
    return withClient(this.#pool, `read ${nameOf(task)}`, task, async (client) => {
      const { rows } = await client.query<OwnedRow>(explainFenceStatement(task))
      return rows[0]
    })
  }
}

function stepsOf(claim: Claim, checkpoint: Checkpoint, commits: number): readonly Step[] {
  const { task } = claim
  return [
    fenceStep(claim, checkpoint, commits),
    ...checkpoint.writes.flatMap((write) => writeSteps(write, ownerOf(claim))),
    ...deadLetterSteps(task, checkpoint.deadLetters),
    ...checkpoint.objects.map((object) => objectStep(task, object)),
    ...(checkpoint.messages ?? []).flatMap((write) => messageSteps(task, write)),
    ...inputSteps(task, checkpoint.others ?? []),
    ...((checkpoint.mergeNotes ?? []).length === 0 ? [] : [mergeNotesStep(task, checkpoint.mergeNotes ?? [])]),
    ...answerSteps(task, checkpoint.answers ?? []),
    ...stateSteps(task, checkpoint),
    ...(checkpoint.idleAdvances.length + (checkpoint.inputEnds?.length ?? 0) === 0
      ? []
      : [recordedStepsStep(task, checkpoint)]),
  ]
}

function ownerOf(claim: Claim): number {
  const { rowOwner } = claim as Partial<OwnersClaim>
  if (rowOwner === undefined) throw new RangeError(`${nameOf(claim.task)}: the claim is not of this store`)
  return rowOwner
}

function restoredFrom(
  task: TaskId,
  row: TaskRow,
  frames: readonly StateFrame[],
  inputs: readonly InputRow[],
): SavedCheckpoint | null {
  if (row.next_offset === null) return null
  const others = otherPlaces(task).map(({ topic, partition }) =>
    positionFrom(inputs.find((input) => input.input_topic === topic && input.input_partition === partition)),
  )
  return {
    nextOffset: Number(row.next_offset),
    watermark: row.watermark === null ? null : Number(row.watermark),
    archiveNextOffset: row.archive_next_offset === null ? null : Number(row.archive_next_offset),
    ...(row.log_id === null ? {} : { logId: row.log_id }),
    ...(row.leader_epoch === null ? {} : { leaderEpoch: row.leader_epoch }),
    ...(others.length === 0 ? {} : { others }),
    state: frames.map(({ kind, body }) => ({ kind, body: unescapeText(body) })),
  }
}

/** What `state drop` leaves in the manifest, or a run of before under the same name. */
function archivedBefore(
  restored: SavedCheckpoint | null,
  rows: readonly { readonly until: number | null }[],
): Pick<Claim, 'archivedUntilOffsets'> {
  if (restored !== null || rows.every(({ until }) => until === null)) return {}
  return { archivedUntilOffsets: rows.map(({ until }) => until) }
}

/** One of a topic that the task no longer reads says nothing. */
function skippedOf(task: TaskId, rows: readonly SkippedRow[]): readonly SkippedRange[] {
  const inputs = [task, ...otherPlaces(task)].map(placeName)
  return rows
    .map(({ input_topic, input_partition, ...range }) => ({
      input: inputs.indexOf(placeName({ topic: input_topic, partition: input_partition })),
      ...range,
    }))
    .filter(({ input }) => input >= 0)
}

function positionFrom(row: InputRow | undefined): InputPosition | null {
  if (row === undefined) return null
  return {
    nextOffset: Number(row.next_offset),
    archiveNextOffset: row.archive_next_offset === null ? null : Number(row.archive_next_offset),
    ...(row.log_id === null ? {} : { logId: row.log_id }),
    ...(row.leader_epoch === null ? {} : { leaderEpoch: row.leader_epoch }),
  }
}

/** Why the claim may commit no more; null where it is the newest, and the database has all checkpoints before. */
function lostClaim(
  { task, generation }: Claim,
  row: OwnedRow | undefined,
  commits: number,
  cause: unknown,
): MillraceError | null {
  if (row !== undefined && Number(row.generation) === generation)
    return Number(row.commits) === commits ? null : lostCommits(task, Number(row.commits), commits, cause)
  const now = row === undefined ? 'is gone' : `was claimed by generation ${row.generation} (${row.owner})`
  return new TaskFencedError(`${nameOf(task)} ${now}; this task is generation ${generation}`, { ...task, cause })
}

/** Whatever is missing was made of records that the log still has. */
function lostCommits(task: TaskId, found: number, commits: number, cause: unknown): RetryableError {
  return new RetryableError(
    `${nameOf(task)}: the database has ${found} checkpoints where ${commits} were committed: another server has taken over that lacks the last ones, or a backup was restored. ` +
      'The task goes on from what the database has.',
    { ...task, cause },
  )
}

function nameOf(task: TaskId): string {
  return `${task.pipeline} ${task.topic}/${task.partition}`
}

function codeOf(error: unknown): string | undefined {
  return error instanceof pg.DatabaseError ? error.code : undefined
}
