import type { Observable } from 'rxjs'
import { ConfigurationError } from '../errors.ts'
import type { Marker } from '../log/marker.ts'
import { MessageBuffer } from '../outlets/messageBuffer.ts'
import { PackedRowBuffer } from '../outlets/packedRowBuffer.ts'
import type { ResultBuffer } from '../outlets/resultBuffer.ts'
import { RowBuffer, type TakenRows } from '../outlets/rowBuffer.ts'
import type { MessageTarget, RowsOutlet } from '../pipeline/outlet.ts'
import type { Outlets } from '../pipeline/pipeline.ts'
import type { MessageWrite } from '../store/checkpoint.ts'
import type { OpenPacker } from '../store/packedRows.ts'
import type { TaskInputs } from './taskInputs.ts'

/** An outlet that results come to, and their stream. */
export interface OutletStream {
  readonly buffer: ResultBuffer
  readonly values: Observable<unknown>
}

/** An outlet whose messages are sent after the commit. */
export interface SendingOutlet {
  readonly name: string
  readonly to: MessageTarget
  /** How many messages it had emitted when the graph was built. */
  readonly sent: number
}

/** What a marker says, whichever outlet writes it. */
export type MarkedTime = Omit<Marker, 'outlet' | 'outlets'>

/** The outlets of one task. */
export class TaskOutlets {
  /** In the order in which the pipeline names them. */
  readonly streams: readonly OutletStream[]
  /** By name, the input whose raw records each archive outlet keeps. */
  readonly archives: ReadonlyMap<string, number>
  /** Those whose messages are sent after the commit. */
  readonly sending: readonly SendingOutlet[]
  /** Names of those among whose messages markers are written. */
  readonly marked: readonly string[]
  readonly #rows: readonly (RowBuffer | PackedRowBuffer)[]
  readonly #messages: readonly MessageBuffer[]
  /** Those among whose messages markers are written. */
  readonly #marked: readonly MessageBuffer[]
  readonly #before: ReadonlyMap<string, number>

  /**
   * @param sent how many messages each outlet has emitted so far
   * @param openPacker of the store, where it takes rows of append tables packed
   */
  constructor(
    pipeline: string,
    outlets: Outlets,
    inputs: TaskInputs,
    sent: ReadonlyMap<string, number>,
    openPacker?: OpenPacker,
  ) {
    const rows: (RowBuffer | PackedRowBuffer)[] = []
    const messages: MessageBuffer[] = []
    const streams: OutletStream[] = []
    const archives = new Map<string, number>()
    const sending: SendingOutlet[] = []
    for (const [name, outlet] of Object.entries(outlets)) {
      if (outlet.kind === 'archive') {
        archives.set(name, archivedInput(pipeline, name, inputs.indexOf(outlet.values), archives))
        continue
      }
      const before = sent.get(name) ?? 0
      const buffer =
        outlet.kind === 'rows' ? rowBuffer(name, outlet, openPacker) : new MessageBuffer(name, outlet, before)
      if (buffer instanceof MessageBuffer) messages.push(buffer)
      else rows.push(buffer)
      if (outlet.kind === 'messages') sending.push({ name, to: outlet.to, sent: before })
      streams.push({ buffer, values: outlet.values })
    }
    if (Object.keys(outlets).length === 0) throw new ConfigurationError(`pipeline ${pipeline} has no outlet`)
    this.streams = streams
    this.archives = archives
    this.sending = sending
    this.#rows = rows
    this.#messages = messages
    this.#marked = messages.filter(({ markedTopic }) => markedTopic !== null)
    this.marked = this.#marked.map(({ name }) => name)
    this.#before = sent
  }

  /** Rows and messages that wait for the next cut. */
  get size(): number {
    let size = 0
    for (const { buffer } of this.streams) size += buffer.size
    return size
  }

  /** Of the same, roughly. */
  get bytes(): number {
    let bytes = 0
    for (const { buffer } of this.streams) bytes += buffer.bytes
    return bytes
  }

  /** How many rows or messages of each wait for the next cut. */
  counts(): ReadonlyMap<string, number> {
    return new Map(this.streams.map(({ buffer: { name, size } }) => [name, size]))
  }

  takeRows(): readonly TakenRows[] {
    return this.#rows.map((buffer) => buffer.take()).filter((taken) => taken !== null)
  }

  /** Puts a marker behind the messages of each of them. */
  mark(time: MarkedTime): void {
    for (const buffer of this.#marked) {
      const outlets = this.#marked.filter(({ markedTopic }) => markedTopic === buffer.markedTopic)
      buffer.mark({ ...time, outlet: buffer.name, outlets: outlets.map(({ name }) => name) })
    }
  }

  takeMessages(): readonly MessageWrite[] {
    return this.#messages.map((buffer) => buffer.take()).filter((write) => write !== null)
  }

  /** How many messages each outlet has emitted, ever; those that have none are left out. One that the pipeline no longer has keeps its number, for it may come back. */
  sent(): ReadonlyMap<string, number> {
    const now = this.#messages.filter(({ sent }) => sent > 0).map(({ name, sent }) => [name, sent] as const)
    const all = new Map([...this.#before, ...now])
    // Not in the order in which they emitted first, which a restart forgets.
    return new Map([...all].sort(([a], [b]) => (a < b ? -1 : 1)))
  }
}

function rowBuffer(
  name: string,
  outlet: RowsOutlet<unknown>,
  openPacker: OpenPacker | undefined,
): RowBuffer | PackedRowBuffer {
  const { table } = outlet
  if (table.mode === 'upsert' || openPacker === undefined) return new RowBuffer(name, outlet)
  return new PackedRowBuffer(name, table, openPacker(table))
}

function archivedInput(pipeline: string, outlet: string, input: number, others: ReadonlyMap<string, number>): number {
  if (input < 0) {
    throw new ConfigurationError(
      `pipeline ${pipeline}: outlet ${outlet}: toArchive keeps the raw records of an input, so it takes the stream of one as build gets it, with no step on top`,
    )
  }
  const other = [...others].find(([, archived]) => archived === input)
  if (other !== undefined) {
    throw new ConfigurationError(
      `pipeline ${pipeline}: outlets ${other[0]} and ${outlet} both keep the records of one input; leave one out`,
    )
  }
  return input
}
