import { isDeepStrictEqual } from 'node:util'
import { DeterminismError, TaskFencedError } from '../runtime/errors.ts'
import { framesOf, keptFrames } from '../runtime/state/frameChain.ts'
import type { LookupAnswer } from '../runtime/store/answers.ts'
import type {
  ArchivedObject,
  Checkpoint,
  CheckpointStore,
  Claim,
  DeadLetter,
  IdleAdvance,
  InputEnd,
  InputPosition,
  MergeNote,
  RecordedStep,
  SavedCheckpoint,
  TaskId,
} from '../runtime/store/checkpoint.ts'
import {
  elsewhereReason,
  type ForeignRow,
  ForeignRowsError,
  ownerText,
  type RowOwner,
} from '../runtime/store/foreignRows.ts'
import { otherPlaces, placeName, placeOfInput } from '../runtime/store/inputPlace.ts'
import { type PartitionGrowth, partitionsChanged } from '../runtime/store/partitionGrowth.ts'
import { rowKeys } from '../runtime/store/rowKey.ts'
import type { ColumnValue, Table } from '../runtime/store/table.ts'
import { Withdrawn } from '../runtime/withdrawn.ts'
import { rowText } from '../sinks/postgres/columnText.ts'
import { MemoryOutbox } from './memoryOutbox.ts'

/** A row as its table's columns gave it. */
export type StoredRow = Readonly<Record<string, ColumnValue>>

interface StoredTask {
  readonly task: TaskId
  generation: number
  /** Of the last claim that told; 0 until one does. */
  topicPartitions: number
  saved: SavedCheckpoint | null
  /** By topic. */
  readonly others: Map<string, InputPosition>
}

interface StoredTable {
  readonly table: Table<unknown>
  /** By natural key, or by a running number where the table only appends. */
  readonly rows: Map<string, StoredRow>
  /** Of an upsert table, by natural key. */
  readonly owners: Map<string, RowOwner>
}

/** Rows that were read and checked, and what remains to be done with them. */
interface PreparedRows {
  readonly foreign: readonly Omit<ForeignRow, 'write'>[]
  readonly merge: () => void
}

/**
 * The checkpoint store of PostgreSQL in memory: the same fence, the same merge of rows, all of a checkpoint or nothing. What it holds can be
 * read at any time. It keeps everything it was given, for as long as it lives.
 */
export class MemoryCheckpointStore implements CheckpointStore {
  readonly outbox = new MemoryOutbox((claim) => this.#newest(claim))
  readonly #tasks = new Map<string, StoredTask>()
  readonly #tables = new Map<string, StoredTable>()
  readonly #deadLetters = new Map<string, TaskId & DeadLetter>()
  readonly #objects = new Map<string, TaskId & ArchivedObject>()
  readonly #idleAdvances = new Map<string, TaskId & IdleAdvance>()
  readonly #inputEnds = new Map<string, TaskId & InputEnd>()
  readonly #mergeNotes = new Map<string, TaskId & MergeNote>()
  readonly #answers = new Map<string, TaskId & LookupAnswer>()

  async claim(task: TaskId, topicPartitions?: number, growth: PartitionGrowth = 'refuse'): Promise<Claim> {
    if (topicPartitions !== undefined && growth === 'refuse') this.#refuseOtherPartitions(task, topicPartitions)
    const key = nameOf(task)
    const stored = this.#tasks.get(key) ?? {
      task: idOf(task),
      generation: 0,
      topicPartitions: 0,
      saved: null,
      others: new Map(),
    }
    this.#tasks.set(key, stored)
    stored.generation += 1
    stored.topicPartitions = topicPartitions ?? stored.topicPartitions
    const restored = restoredFor(task, stored)
    return { task, generation: stored.generation, restored, ...this.#archivedBefore(task, restored) }
  }

  async commit(claim: Claim, checkpoint: Checkpoint): Promise<void> {
    const { task } = claim
    const stored = this.#newest(claim)
    refuseStepBack(stored, checkpoint)
    refuseInputsBack(task, stored, checkpoint.others ?? [])
    this.#refuseOtherObjects(task, checkpoint.objects)
    const letters = this.#prepareLetters(task, checkpoint.deadLetters)
    const prepared = checkpoint.writes.map(({ table, rows }) => this.#prepareRows(task, table, rows))
    refuseForeign(task, checkpoint, prepared)

    // Nothing below fails, so all of it happens or nothing.
    for (const { merge } of prepared) merge()
    for (const [key, letter] of letters) this.#deadLetters.set(key, letter)
    for (const object of checkpoint.objects) {
      const task = ofInput(claim.task, object.input)
      const key = `${nameOf(task)}/${object.firstOffset}`
      if (!this.#objects.has(key)) this.#objects.set(key, { ...idOf(task), ...object })
    }
    for (const end of checkpoint.inputEnds ?? []) {
      this.#inputEnds.set(stepKey(task, end), { ...idOf(task), ...end })
    }
    for (const advance of checkpoint.idleAdvances) {
      this.#idleAdvances.set(stepKey(task, advance), { ...idOf(task), ...advance })
    }
    for (const note of checkpoint.mergeNotes ?? []) {
      const key = `${nameOf(task)}/${note.input}/${note.offsets[note.input]}/${note.isFirst === true}`
      this.#mergeNotes.set(key, { ...idOf(task), ...note })
    }
    for (const answer of checkpoint.answers ?? []) {
      const { input, offset, operator, ordinal } = answer
      this.#answers.set(`${nameOf(task)}/${input}/${offset}/${ordinal}/${operator}`, { ...idOf(task), ...answer })
    }
    for (const messages of checkpoint.messages ?? []) this.outbox.add(task, messages)
    for (const [i, position] of (checkpoint.others ?? []).entries()) {
      const place = placeName(placeOfInput(task, i + 1))
      const logId = position.logId ?? stored.others.get(place)?.logId
      stored.others.set(place, { ...position, ...(logId === undefined ? {} : { logId }) })
    }
    const logId = checkpoint.logId ?? stored.saved?.logId
    stored.saved = {
      nextOffset: checkpoint.nextOffset,
      watermark: checkpoint.watermark,
      archiveNextOffset: checkpoint.archiveNextOffset,
      ...(logId === undefined ? {} : { logId }),
      ...(checkpoint.leaderEpoch === undefined ? {} : { leaderEpoch: checkpoint.leaderEpoch }),
      state: keptFrames(stored.saved?.state ?? [], framesOf(checkpoint)),
    }
  }

  recordedSteps(task: TaskId, after: RecordedStep, limit: number): Promise<readonly RecordedStep[]> {
    const steps = [
      ...[...this.#idleAdvances.values()].map((step) => ({ ...step, isEnd: false })),
      ...[...this.#inputEnds.values()].map((step) => ({ ...step, isEnd: true })),
    ]
    const behind = steps.filter((step) => nameOf(step) === nameOf(task) && compareSteps(step, after) > 0)
    const first = behind.sort(compareSteps).slice(0, limit)
    return Promise.resolve(first.map(({ pipeline: _, topic: __, partition: ___, ...step }) => step))
  }

  mergeNotes(task: TaskId, input: number, fromOffset: number, limit: number): Promise<readonly MergeNote[]> {
    const at = ({ offsets, isFirst }: MergeNote) => (offsets[input] as number) - (isFirst === true ? 0.5 : 0)
    const notes = [...this.#mergeNotes.values()]
      .filter((note) => nameOf(note) === nameOf(task) && note.input === input)
      .filter(({ offsets }) => (offsets[input] as number) >= fromOffset)
    const first = notes.sort((a, b) => at(a) - at(b)).slice(0, limit)
    return Promise.resolve(first.map(({ pipeline: _, topic: __, partition: ___, ...note }) => note))
  }

  answers(task: TaskId, input: number, fromOffset: number, limit: number): Promise<readonly LookupAnswer[]> {
    const behind = this.storedAnswers().filter(
      (answer) => nameOf(answer) === nameOf(task) && answer.input === input && answer.offset >= fromOffset,
    )
    return Promise.resolve(
      behind.slice(0, limit).map(({ pipeline: _, topic: __, partition: ___, ...answer }) => answer),
    )
  }

  close(): Promise<void> {
    return Promise.resolve()
  }

  /** The table's rows, in the order of their keys (an append table's as they came). */
  rows(table: string | Table<never>): readonly StoredRow[] {
    const stored = this.#tables.get(typeof table === 'string' ? table : table.name)
    return stored === undefined ? [] : inOrder(stored.rows, stored.table.mode === 'upsert')
  }

  /** Whose the rows of an upsert table are, in the same order; undefined for one without an owner. */
  owners(table: string): readonly (RowOwner | undefined)[] {
    const stored = this.#tables.get(table)
    return [...(stored?.rows.keys() ?? [])].sort(compare).map((key) => stored?.owners.get(key))
  }

  /** Gives all rows of a table to a task, as `millrace state own` does. */
  handOver(table: string, to: RowOwner): void {
    const owners = this.#tables.get(table)?.owners
    for (const key of owners?.keys() ?? []) owners?.set(key, to)
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
      (a, b) => compare(nameOf(a), nameOf(b)) || compareSteps({ ...a, isEnd: false }, { ...b, isEnd: false }),
    )
  }

  /** Where inputs were merged in another order than by their records, by task, input and offset. */
  storedMergeNotes(): readonly (TaskId & MergeNote)[] {
    const at = ({ input, offsets }: MergeNote) => offsets[input] as number
    return [...this.#mergeNotes.values()].sort(
      (a, b) => compare(nameOf(a), nameOf(b)) || a.input - b.input || at(a) - at(b),
    )
  }

  /** What was answered from outside, by task, input, offset, operator and ordinal. */
  storedAnswers(): readonly (TaskId & LookupAnswer)[] {
    return [...this.#answers.values()].sort(
      (a, b) =>
        compare(nameOf(a), nameOf(b)) ||
        a.input - b.input ||
        a.offset - b.offset ||
        compare(a.operator, b.operator) ||
        a.ordinal - b.ordinal,
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
      .map((stored) => ({ task: stored.task, generation: stored.generation, saved: restoredFor(stored.task, stored) }))
  }

  /** The claim's task, unless somebody else has claimed it since. */
  #newest({ task, generation }: Claim): StoredTask {
    const stored = this.#tasks.get(nameOf(task))
    if (stored?.generation === generation) return stored
    const now = stored === undefined ? 'is gone' : `was claimed by generation ${stored.generation}`
    throw new TaskFencedError(`${nameOf(task)} ${now}; this task is generation ${generation}`, task)
  }

  /** What a life of before has left in the manifest, where nothing else is left of it. */
  #archivedBefore(task: TaskId, restored: SavedCheckpoint | null): Pick<Claim, 'archivedUntilOffsets'> {
    if (restored !== null) return {}
    const untils = [task.topic, ...(task.otherTopics ?? [])].map((_, input) => {
      const name = nameOf(ofInput(task, input))
      const ends = [...this.#objects.values()].filter((object) => nameOf(object) === name)
      return ends.length === 0 ? null : Math.max(...ends.map(({ lastOffset }) => lastOffset + 1))
    })
    return untils.every((until) => until === null) ? {} : { archivedUntilOffsets: untils }
  }

  #refuseOtherPartitions(task: TaskId, now: number): void {
    const isOfTopic = (one: TaskId) => one.pipeline === task.pipeline && one.topic === task.topic
    const ofTopic = [...this.#tasks.values()].filter((stored) => isOfTopic(stored.task))
    const before = Math.max(0, ...ofTopic.map((stored) => stored.topicPartitions))
    if (before !== 0 && before !== now) throw partitionsChanged(task, before, now)
  }

  #refuseOtherObjects(task: TaskId, objects: readonly ArchivedObject[]): void {
    for (const object of objects) {
      const known = this.#objects.get(`${nameOf(ofInput(task, object.input))}/${object.firstOffset}`)
      if (known === undefined) continue
      if (known.key !== object.key || known.sha256 !== object.sha256 || known.lastOffset !== object.lastOffset) {
        throw new DeterminismError(
          `the manifest holds ${known.key} with sha256 ${known.sha256}, not ${object.key} with ${object.sha256}`,
          task,
        )
      }
    }
  }

  #prepareLetters(claimed: TaskId, letters: readonly DeadLetter[]): ReadonlyMap<string, TaskId & DeadLetter> {
    const prepared = new Map<string, TaskId & DeadLetter>()
    for (const letter of letters) {
      const task = ofInput(claimed, letter.input)
      const key = `${nameOf(task)}/${letter.offset}/${letter.ordinal}/${letter.operator}`
      const copy = { ...idOf(task), ...copyOf(letter) }
      const known = this.#deadLetters.get(key) ?? prepared.get(key)
      const mayDiffer = known?.reason === elsewhereReason || letter.reason === elsewhereReason
      if (known !== undefined && !mayDiffer && !isDeepStrictEqual(known, copy)) {
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

  // Reads and checks every row now.
  #prepareRows<Row>(task: TaskId, table: Table<Row>, rows: readonly (Row | Withdrawn<Row>)[]): PreparedRows {
    const read = rows.map((row) => ({
      texts: rowText(table, row),
      values: row instanceof Withdrawn ? valuesOf(table, row.row, identityOf(table)) : valuesOf(table, row),
      isWithdrawn: row instanceof Withdrawn,
    }))
    const stored = this.#tables.get(table.name) ?? {
      table: table as Table<unknown>,
      rows: new Map<string, StoredRow>(),
      owners: new Map<string, RowOwner>(),
    }
    const begin = () => this.#tables.set(table.name, stored)
    if (table.mode === 'append') {
      const append = () => {
        begin()
        for (const { values } of read) stored.rows.set(String(stored.rows.size), values)
      }
      return { foreign: [], merge: append }
    }
    const keyOf = rowKeys(table)
    const keyed = read.map(({ texts, ...rest }) => ({ key: keyOf(texts), ...rest }))
    const foreign = new Map<string, Omit<ForeignRow, 'write'>>()
    for (const [row, { key }] of keyed.entries()) {
      const owner = stored.owners.get(key)
      if (owner !== undefined && nameOf(owner) !== nameOf(task)) foreign.set(key, { row, key, owner: idOf(owner) })
    }
    const merge = () => {
      begin()
      for (const { key, values, isWithdrawn } of keyed) {
        const known = stored.rows.get(key)
        if (known !== undefined && values[table.revision]! < known[table.revision]!) continue
        if (isWithdrawn) {
          stored.rows.delete(key)
          stored.owners.delete(key)
        } else {
          stored.rows.set(key, values)
          stored.owners.set(key, idOf(task))
        }
      }
    }
    return { foreign: [...foreign.values()], merge }
  }
}

function identityOf(table: Table<never>): readonly string[] {
  return table.mode === 'append' ? [] : [...table.key, table.revision]
}

/** Of a row that is taken back only the columns are read that say which it is. */
function valuesOf<Row>(table: Table<Row>, row: Row, names?: readonly string[]): StoredRow {
  const columns = names === undefined ? table.columns : table.columns.filter(({ name }) => names.includes(name))
  return Object.fromEntries(columns.map((column) => [column.name, column.of(row)]))
}

function refuseForeign(task: TaskId, { writes, nextOffset }: Checkpoint, prepared: readonly PreparedRows[]): void {
  const rows = prepared.flatMap(({ foreign }, write) => foreign.map((one) => ({ write, ...one })))
  const [first] = rows
  if (first === undefined) return
  throw new ForeignRowsError(
    `${nameOf(task)} would replace ${rows.length} rows of other tasks, the first in table ${writes[first.write]?.table.name} of ${ownerText(first.owner)}; nothing was stored`,
    rows,
    { ...task, offset: nextOffset },
  )
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

function refuseInputsBack(task: TaskId, { others }: StoredTask, positions: readonly InputPosition[]): void {
  for (const [i, { nextOffset, archiveNextOffset }] of positions.entries()) {
    const place = placeOfInput(task, i + 1)
    const saved = others.get(placeName(place))
    if (saved === undefined) continue
    const isArchiveBack =
      archiveNextOffset !== null && saved.archiveNextOffset !== null && archiveNextOffset < saved.archiveNextOffset
    if (nextOffset >= saved.nextOffset && !isArchiveBack) continue
    throw new DeterminismError(
      `${nameOf(task)} is stored up to offset ${saved.nextOffset} of ${placeName(place)} (archive: ${saved.archiveNextOffset}); ` +
        `a checkpoint up to ${nextOffset} (archive: ${archiveNextOffset}) would go back, nothing was stored`,
      { ...task, ...place, offset: nextOffset },
    )
  }
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

function idOf({ pipeline, topic, partition }: RowOwner): RowOwner {
  return { pipeline, topic, partition }
}

function nameOf(task: RowOwner): string {
  return `${task.pipeline} ${task.topic}/${task.partition}`
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}

function compareSteps(a: RecordedStep, b: RecordedStep): number {
  return (
    (a.sequence ?? 0) - (b.sequence ?? 0) ||
    a.offset - b.offset ||
    compareNumbers(a.otherOffsets ?? [], b.otherOffsets ?? []) ||
    a.watermark - b.watermark ||
    Number(a.isEnd) - Number(b.isEnd) ||
    compare(a.clock ?? '', b.clock ?? '')
  )
}

/** As PostgreSQL compares arrays. */
function compareNumbers(a: readonly number[], b: readonly number[]): number {
  for (let i = 0; i < Math.min(a.length, b.length); i++) {
    if (a[i] !== b[i]) return (a[i] as number) - (b[i] as number)
  }
  return a.length - b.length
}

function stepKey(task: TaskId, step: IdleAdvance): string {
  const { offset, otherOffsets = [], sequence = 0, watermark, clock = '' } = step
  return `${nameOf(task)}/${offset}/${otherOffsets.join()}/${sequence}/${watermark}/${clock}`
}

/** What is kept of the records of one input stands under its own topic. */
function ofInput(task: TaskId, input = 0): TaskId {
  return { ...task, ...placeOfInput(task, input) }
}

function restoredFor(task: TaskId, { saved, others }: StoredTask): SavedCheckpoint | null {
  const places = otherPlaces(task)
  if (saved === null || places.length === 0) return saved
  return { ...saved, others: places.map((place) => others.get(placeName(place)) ?? null) }
}
