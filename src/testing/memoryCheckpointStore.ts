import { isDeepStrictEqual } from 'node:util'
import type {
  ArchivedObject,
  Checkpoint,
  CheckpointStore,
  Claim,
  DeadLetter,
  IdleAdvance,
  InputEnd,
  RecordedStep,
  SavedCheckpoint,
  StateFrame,
  TaskId,
} from '../runtime/checkpoint.ts'
import { DeterminismError, TaskFencedError } from '../runtime/errors.ts'
import type { ColumnValue, Table } from '../runtime/table.ts'
import { keyText, rowText } from '../sinks/postgres/columnText.ts'

/** A row as its table's columns gave it. */
export type StoredRow = Readonly<Record<string, ColumnValue>>

interface StoredTask {
  readonly task: TaskId
  generation: number
  saved: SavedCheckpoint | null
}

interface StoredTable {
  readonly table: Table<unknown>
  /** By natural key, or by a running number where the table only appends. */
  readonly rows: Map<string, StoredRow>
}

/**
 * The checkpoint store of PostgreSQL in memory: the same fence, the same merge of rows, all of a checkpoint or nothing. What it holds can be
 * read at any time. It keeps everything it was given, for as long as it lives.
 */
export class MemoryCheckpointStore implements CheckpointStore {
  readonly #tasks = new Map<string, StoredTask>()
  readonly #tables = new Map<string, StoredTable>()
  readonly #deadLetters = new Map<string, TaskId & DeadLetter>()
  readonly #objects = new Map<string, TaskId & ArchivedObject>()
  readonly #idleAdvances = new Map<string, TaskId & IdleAdvance>()
  readonly #inputEnds = new Map<string, TaskId & InputEnd>()

  claim(task: TaskId): Promise<Claim> {
    const key = nameOf(task)
    const stored = this.#tasks.get(key) ?? { task: idOf(task), generation: 0, saved: null }
    this.#tasks.set(key, stored)
    stored.generation += 1
    return Promise.resolve({ task, generation: stored.generation, restored: stored.saved })
  }

  async commit(claim: Claim, checkpoint: Checkpoint): Promise<void> {
    const { task } = claim
    const stored = this.#tasks.get(nameOf(task))
    if (stored === undefined || stored.generation !== claim.generation) {
      const now = stored === undefined ? 'is gone' : `was claimed by generation ${stored.generation}`
      throw new TaskFencedError(`${nameOf(task)} ${now}; this task is generation ${claim.generation}`, task)
    }
    refuseStepBack(stored, checkpoint)
    this.#refuseOtherObjects(task, checkpoint.objects)
    const letters = this.#prepareLetters(task, checkpoint.deadLetters)
    const merges = checkpoint.writes.map(({ table, rows }) => this.#prepareRows(table, rows))

    // Nothing below fails, so all of it happens or nothing.
    for (const merge of merges) merge()
    for (const [key, letter] of letters) this.#deadLetters.set(key, letter)
    for (const object of checkpoint.objects) {
      const key = `${nameOf(task)}/${object.firstOffset}`
      if (!this.#objects.has(key)) this.#objects.set(key, { ...idOf(task), ...object })
    }
    for (const end of checkpoint.inputEnds ?? []) {
      this.#inputEnds.set(`${nameOf(task)}/${end.offset}/${end.watermark}`, { ...idOf(task), ...end })
    }
    for (const advance of checkpoint.idleAdvances) {
      this.#idleAdvances.set(`${nameOf(task)}/${advance.offset}/${advance.watermark}`, { ...idOf(task), ...advance })
    }
    const { kind, body } = checkpoint.state
    const frame: StateFrame = { kind, body }
    const logId = checkpoint.logId ?? stored.saved?.logId
    stored.saved = {
      nextOffset: checkpoint.nextOffset,
      watermark: checkpoint.watermark,
      archiveNextOffset: checkpoint.archiveNextOffset,
      ...(logId === undefined ? {} : { logId }),
      state: kind === 'base' ? [frame] : [...(stored.saved?.state ?? []), frame],
    }
  }

  recordedSteps(task: TaskId, after: RecordedStep, limit: number): Promise<readonly RecordedStep[]> {
    const steps = [
      ...[...this.#idleAdvances.values()].map((step) => ({ ...step, isEnd: false })),
      ...[...this.#inputEnds.values()].map((step) => ({ ...step, isEnd: true })),
    ]
    const behind = steps.filter((step) => nameOf(step) === nameOf(task) && compareSteps(step, after) > 0)
    const first = behind.sort(compareSteps).slice(0, limit)
    return Promise.resolve(first.map(({ offset, watermark, isEnd }) => ({ offset, watermark, isEnd })))
  }

  close(): Promise<void> {
    return Promise.resolve()
  }

  /** The table's rows, in the order of their keys (an append table's as they came). */
  rows(table: string | Table<never>): readonly StoredRow[] {
    const stored = this.#tables.get(typeof table === 'string' ? table : table.name)
    return stored === undefined ? [] : inOrder(stored.rows, stored.table.mode === 'upsert')
  }

  /** The tables that rows were written to, in order of their names. */
  get tableNames(): readonly string[] {
    return [...this.#tables.keys()].sort()
  }

  /** By task, offset and operator. */
  deadLetters(): readonly (TaskId & DeadLetter)[] {
    return [...this.#deadLetters.values()].sort(
      (a, b) =>
        compare(nameOf(a), nameOf(b)) ||
        a.offset - b.offset ||
        compare(a.operator, b.operator) ||
        a.ordinal - b.ordinal,
    )
  }

  /** The archive's manifest, by task and offset. */
  objects(): readonly (TaskId & ArchivedObject)[] {
    return [...this.#objects.values()].sort((a, b) => compare(nameOf(a), nameOf(b)) || a.firstOffset - b.firstOffset)
  }

  /** Recorded steps of time, by task, offset and watermark. */
  idleAdvances(): readonly (TaskId & IdleAdvance)[] {
    return [...this.#idleAdvances.values()].sort(
      (a, b) => compare(nameOf(a), nameOf(b)) || a.offset - b.offset || a.watermark - b.watermark,
    )
  }

  /** What was last committed for each task. */
  get state(): readonly {
    readonly task: TaskId
    readonly generation: number
    readonly saved: SavedCheckpoint | null
  }[] {
    return [...this.#tasks.values()]
      .sort((a, b) => compare(nameOf(a.task), nameOf(b.task)))
      .map(({ task, generation, saved }) => ({ task, generation, saved }))
  }

  #refuseOtherObjects(task: TaskId, objects: readonly ArchivedObject[]): void {
    for (const object of objects) {
      const known = this.#objects.get(`${nameOf(task)}/${object.firstOffset}`)
      if (known === undefined) continue
      if (known.key !== object.key || known.sha256 !== object.sha256 || known.lastOffset !== object.lastOffset) {
        throw new DeterminismError(
          `the manifest holds ${known.key} with sha256 ${known.sha256}, not ${object.key} with ${object.sha256}`,
          task,
        )
      }
    }
  }

  #prepareLetters(task: TaskId, letters: readonly DeadLetter[]): ReadonlyMap<string, TaskId & DeadLetter> {
    const prepared = new Map<string, TaskId & DeadLetter>()
    for (const letter of letters) {
      const key = `${nameOf(task)}/${letter.offset}/${letter.ordinal}/${letter.operator}`
      const copy = { ...idOf(task), ...copyOf(letter) }
      const known = this.#deadLetters.get(key) ?? prepared.get(key)
      if (known !== undefined && !isDeepStrictEqual(known, copy)) {
        throw new DeterminismError(
          `dead letter ${letter.offset}/${letter.operator}/${letter.ordinal} is stored as "${known.reason}: ${known.detail}", ` +
            `which differs from "${letter.reason}: ${letter.detail}"; it was not made from the same record by the same code`,
          { ...task, offset: letter.offset },
        )
      }
      prepared.set(key, copy)
    }
    return prepared
  }

  // Reads and checks every row now and gives what remains to be done.
  #prepareRows<Row>(table: Table<Row>, rows: readonly Row[]): () => void {
    const read = rows.map((row) => ({
      texts: rowText(table, row),
      values: Object.fromEntries(table.columns.map((column) => [column.name, column.of(row)])) as StoredRow,
    }))
    return () => {
      const stored = this.#tables.get(table.name) ?? {
        table: table as Table<unknown>,
        rows: new Map<string, StoredRow>(),
      }
      this.#tables.set(table.name, stored)
      if (table.mode === 'append') {
        for (const { values } of read) stored.rows.set(String(stored.rows.size), values)
        return
      }
      const keyIndexes = table.key.map((name) => table.columns.findIndex((column) => column.name === name))
      const types = keyIndexes.map((i) => table.columns[i]!.type)
      for (const { texts, values } of read) {
        const key = keyText(
          keyIndexes.map((i) => texts[i]!),
          types,
        )
        const known = stored.rows.get(key)
        if (known === undefined || values[table.revision]! >= known[table.revision]!) stored.rows.set(key, values)
      }
    }
  }
}

function refuseStepBack(stored: StoredTask, checkpoint: Checkpoint): void {
  const { saved, task } = stored
  if (saved === null) return
  const { nextOffset, archiveNextOffset } = checkpoint
  const isBack =
    nextOffset < saved.nextOffset ||
    (archiveNextOffset !== null && saved.archiveNextOffset !== null && archiveNextOffset < saved.archiveNextOffset)
  if (!isBack) return
  throw new DeterminismError(
    `${nameOf(task)} is stored up to offset ${saved.nextOffset} (archive: ${saved.archiveNextOffset}); ` +
      `a checkpoint up to ${nextOffset} (archive: ${archiveNextOffset}) would go back, nothing was stored`,
    { ...task, offset: nextOffset },
  )
}

function inOrder(rows: ReadonlyMap<string, StoredRow>, isByKey: boolean): readonly StoredRow[] {
  if (!isByKey) return [...rows.values()]
  return [...rows].sort(([a], [b]) => compare(a, b)).map(([, row]) => row)
}

function copyOf(letter: DeadLetter): DeadLetter {
  return {
    ...letter,
    key: bytesOf(letter.key),
    headers: letter.headers.map(({ key, value }) => ({ key, value: bytesOf(value) })),
    payload: bytesOf(letter.payload),
  }
}

function bytesOf(bytes: Uint8Array | null): Uint8Array | null {
  return bytes === null ? null : Uint8Array.from(bytes)
}

function idOf({ pipeline, topic, partition }: TaskId): TaskId {
  return { pipeline, topic, partition }
}

function nameOf(task: TaskId): string {
  return `${task.pipeline} ${task.topic}/${task.partition}`
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}

function compareSteps(a: RecordedStep, b: RecordedStep): number {
  return a.offset - b.offset || a.watermark - b.watermark || Number(a.isEnd) - Number(b.isEnd)
}
