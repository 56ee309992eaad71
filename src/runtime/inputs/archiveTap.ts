import type { ReadAhead } from '../log/readAhead.ts'
import type { RecordFacts, RecordView } from '../log/record.ts'
import type { ArchiveWriter } from '../store/archive.ts'
import type { ArchivedObject } from '../store/checkpoint.ts'

/** Takes in records behind their push. */
export interface RecordTap {
  append(record: RecordView, facts: RecordFacts): void
  /** The same of records that were read ahead, from the one at hand up to the one before `end`, which is at hand then. The facts are of each. */
  appendAll(records: ReadAhead, end: number, facts: RecordFacts): void
}

/** The archive of one input in one task: at or behind where the task stands, because an object spans many checkpoints. */
export class ArchiveTap implements RecordTap {
  readonly writer: ArchiveWriter
  readonly #input: number
  /** The first offset that it has not been given. */
  #from: number
  #nextOffset: number
  #objects: ArchivedObject[] = []

  /** @param from where the archive goes on */
  constructor(writer: ArchiveWriter, input: number, from: number) {
    this.writer = writer
    this.#input = input
    this.#from = from
    this.#nextOffset = from
  }

  /** Takes the record in, unless it has it. */
  append(record: RecordView, facts?: RecordFacts): void {
    if (record.offset < this.#from) return
    this.writer.append(record, facts)
    this.#from = record.offset + 1
  }

  /** Takes in those of the records that it does not have. */
  appendAll(records: ReadAhead, end: number, facts: RecordFacts): void {
    const { offsets } = records
    while (records.at < end - 1 && (offsets[records.at] as number) < this.#from) records.at += 1
    if ((offsets[records.at] as number) < this.#from) return
    this.writer.appendAll(records, end, facts)
    this.#from = (offsets[end - 1] as number) + 1
  }

  /** The input has nothing below this offset any more. */
  skipTo(offset: number): void {
    if (offset > this.#from) this.#from = offset
  }

  /** True once it was given everything below the offset. */
  has(offset: number): boolean {
    return this.#from >= offset
  }

  /** Where the archive goes on after what is durable, as far as `collect` has seen. */
  get nextOffset(): number {
    return this.#nextOffset
  }

  /** Looks what has become durable; true where there is something to store. Throws what an upload failed for good with. */
  collect(): boolean {
    const { objects, nextOffset } = this.writer.take()
    for (const object of objects) this.#objects.push(this.#input === 0 ? object : { ...object, input: this.#input })
    this.#nextOffset = nextOffset
    return this.#objects.length > 0
  }

  /** What `collect` has seen and no cut has taken. */
  takeObjects(): readonly ArchivedObject[] {
    const objects = this.#objects
    this.#objects = []
    return objects
  }
}
