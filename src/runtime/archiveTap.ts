import type { ArchiveWriter } from './archive.ts'
import type { ArchivedObject } from './checkpoint.ts'
import type { RecordFacts, RecordView } from './record.ts'

/** The archive of one input in one task: at or behind where the task stands, because an object spans many checkpoints. */
export class ArchiveTap {
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
