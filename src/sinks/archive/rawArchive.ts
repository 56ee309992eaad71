import type { Clock } from '../../runtime/clock.ts'
import { ConfigurationError, OperatorError } from '../../runtime/errors.ts'
import type { ReadAhead } from '../../runtime/log/readAhead.ts'
import type { RecordFacts, RecordView } from '../../runtime/log/record.ts'
import type { ObjectStore } from '../../runtime/objectStore.ts'
import { checkOptions, needed, type OptionRules, optional } from '../../runtime/options.ts'
import type { Archive, ArchiveProgress, ArchiveWriter } from '../../runtime/store/archive.ts'
import type { ArchivedObject, TaskId } from '../../runtime/store/checkpoint.ts'
import { topicPattern } from './archiveKey.ts'
import { BodyBuffers } from './bodyBuffers.ts'
import { type ObjectLimits, OpenObject } from './openObject.ts'
import { PieceBuffers } from './pieceBuffers.ts'
import { Slots } from './slots.ts'
import { Uploader } from './uploads.ts'
import type { Compression } from './zstdPieces.ts'

/** Of lines, and the one that is being written: with more of them on their way to be packed, a task waits. */
const MOST_PIECES = 4

/** Where `rawArchive` writes, how large its objects become and how much it holds. `store` keeps the objects. */
export interface RawArchiveOptions extends Partial<ObjectLimits> {
  readonly store: ObjectStore
  /** Records in an object at most; 250,000 unless told otherwise. */
  readonly maxRecords?: number
  /** Bytes of JSON lines in an object, after which it ends; 32 MiB unless told otherwise. */
  readonly maxBytes?: number
  /** What a task may hold in memory before it waits for uploads; 32 MiB unless told otherwise. */
  readonly maxPendingBytes?: number
  /** Put in front of every key; empty or ending in a slash. */
  readonly keyPrefix?: string
  /** How many uploads run at a time, over all tasks; 2 unless told otherwise. */
  readonly maxUploads?: number
  /** `inline` for simulations, where nothing may wait for the thread pool. The lines are the same, their packed bytes are not. */
  readonly compression?: Compression
  /** From 0 up to 1, for spreading retries in time; `Math.random` unless told otherwise. */
  readonly random?: () => number
}

const rules: OptionRules<RawArchiveOptions> = {
  store: needed.such(
    'an object store, such as directoryStore(…) makes',
    (value) => typeof value === 'object' && value !== null && 'put' in value,
  ),
  maxRecords: optional.number,
  maxBytes: optional.number,
  maxPendingBytes: optional.number,
  keyPrefix: optional.such('text', (value) => typeof value === 'string'),
  maxUploads: optional.number,
  compression: optional.oneOf('background', 'inline'),
  random: optional.callback,
}

/**
 * Writes the records of a log, byte for byte, into compressed JSON lines in an object store.
 *
 * Where an object ends is decided by the records alone (see `OpenObject`), so the same records from the same offset
 * make the same keys and bytes however often a task starts again. Uploads run in the background and are repeated
 * until the store takes them; a task holds at most `maxPendingBytes` and one object. Throws `ConfigurationError` on
 * options that make no sense.
 */
export function rawArchive(options: RawArchiveOptions): Archive {
  checkOptions('rawArchive', options, rules)
  const settings: Settings = {
    store: options.store,
    maxRecords: positive('maxRecords', options.maxRecords ?? 250_000),
    maxBytes: positive('maxBytes', options.maxBytes ?? 32 * 1024 * 1024),
    maxPendingBytes: positive('maxPendingBytes', options.maxPendingBytes ?? 32 * 1024 * 1024),
    keyPrefix: prefix(options.keyPrefix ?? ''),
    compression: options.compression ?? 'background',
    random: options.random ?? Math.random,
    bodies: new BodyBuffers(),
    sparePieces: [],
    slots: new Slots(positive('maxUploads', options.maxUploads ?? 2)),
  }
  return { open: (task, nextOffset, clock) => new RawArchiveWriter(settings, task, nextOffset, clock) }
}

interface Settings extends ObjectLimits {
  readonly store: ObjectStore
  readonly maxPendingBytes: number
  readonly keyPrefix: string
  readonly compression: Compression
  readonly random: () => number
  readonly bodies: BodyBuffers
  /** Of all tasks together. */
  readonly sparePieces: Buffer[]
  readonly slots: Slots
}

/** An object that has ended, in its place in the order; `entry` is there once it is durable. */
interface Ended {
  entry: ArchivedObject | null
}

class RawArchiveWriter implements ArchiveWriter {
  readonly #settings: Settings
  readonly #task: TaskId
  readonly #uploader: Uploader
  readonly #stop = new AbortController()
  readonly #waiting = new Set<() => void>()
  readonly #pieces: PieceBuffers
  #open: OpenObject | null = null
  #ended: Ended[] = []
  #expectedOffset: number
  #takenOffset: number
  #held = 0
  #failure: unknown = null
  #isAbandoned = false

  constructor(settings: Settings, task: TaskId, nextOffset: number, clock: Clock) {
    if (!topicPattern.test(task.topic)) {
      throw new ConfigurationError(
        `the archive cannot name objects after topic ${JSON.stringify(task.topic)}: only letters, digits, '.', '_' and '-' are allowed`,
        task,
      )
    }
    const { store, random, slots } = settings
    this.#settings = settings
    this.#pieces = new PieceBuffers(settings.sparePieces)
    this.#task = task
    this.#uploader = new Uploader({ store, clock, random, slots, place: task })
    this.#expectedOffset = nextOffset
    this.#takenOffset = nextOffset
  }

  append(record: RecordView, facts?: RecordFacts): void {
    const open = this.#openFor(record.offset, record.timestamp)
    open.append(record, facts)
    this.#expectedOffset = record.offset + 1
    if (open.isFull) this.#end(open)
  }

  appendAll(records: ReadAhead, end: number, facts: RecordFacts): void {
    const { offsets, timestamps } = records
    for (;;) {
      const open = this.#openFor(offsets[records.at] as number, timestamps[records.at] as number)
      open.appendAll(records, end, facts)
      this.#expectedOffset = (offsets[records.at] as number) + 1
      if (open.isFull) this.#end(open)
      if (records.at === end - 1) return
      records.at += 1
    }
  }

  get isBehind(): boolean {
    return this.#pieces.inUse > MOST_PIECES && this.#failure === null
  }

  async catchUp(signal: AbortSignal): Promise<void> {
    while (this.isBehind && !this.#stop.signal.aborted && !signal.aborted) await this.#change(signal)
  }

  get heldBytes(): number {
    return this.#held
  }

  get hasRoom(): boolean {
    // With nothing on its way there is nothing to wait for: the open object must be allowed to reach its end.
    return this.#held < this.#settings.maxPendingBytes || !this.#isBusy
  }

  async waitForRoom(signal: AbortSignal): Promise<void> {
    while (!this.hasRoom && this.#failure === null && !this.#stop.signal.aborted && !signal.aborted) {
      await this.#change(signal)
    }
  }

  take(): ArchiveProgress {
    if (this.#failure !== null) throw this.#failure
    const objects: ArchivedObject[] = []
    for (const { entry } of this.#ended) {
      if (entry === null) break
      objects.push(entry)
    }
    this.#ended = this.#ended.slice(objects.length)
    const last = objects.at(-1)
    if (last !== undefined) this.#takenOffset = last.lastOffset + 1
    return { objects, nextOffset: this.#takenOffset }
  }

  async finish(signal: AbortSignal): Promise<void> {
    if (this.#open !== null) this.#end(this.#open)
    while (this.#undurable && this.#failure === null && !this.#stop.signal.aborted && !signal.aborted) {
      await this.#change(signal)
    }
  }

  get waitingFor(): string | null {
    return this.#uploader.waitingFor
  }

  abandon(): void {
    this.#isAbandoned = true
    this.#stop.abort()
    this.#open = null
    this.#ended = []
    this.#held = 0
    this.#tell()
  }

  get #undurable(): boolean {
    return this.#ended.some(({ entry }) => entry === null)
  }

  get #isBusy(): boolean {
    return this.#undurable || this.#open?.isCompressing === true
  }

  /** The object that a record of that offset and time belongs to. */
  #openFor(offset: number, timestamp: number): OpenObject {
    if (this.#isAbandoned) throw this.#misuse(`record ${offset} was appended after abandon()`)
    if (offset < this.#expectedOffset) {
      throw this.#misuse(`record ${offset} was appended, but the archive goes on at ${this.#expectedOffset}`)
    }
    if (this.#open?.endsBefore(timestamp) === true) this.#end(this.#open)
    this.#open ??= this.#begin(offset)
    return this.#open
  }

  #begin(firstOffset: number): OpenObject {
    const { topic, partition } = this.#task
    const options = {
      topic,
      partition,
      pieces: this.#pieces,
      onHeld: (bytes: number) => this.#hold(bytes),
      onFailed: (error: unknown) => this.#fail(error),
    }
    return new OpenObject({ ...this.#settings, ...options }, firstOffset)
  }

  #end(open: OpenObject): void {
    this.#open = null
    const ended: Ended = { entry: null }
    this.#ended.push(ended)
    this.#makeDurable(open, ended).catch((error: unknown) => this.#fail(error))
  }

  /** Whoever waits would wait for ever: what was packed after the failure is told to nobody. */
  #fail(error: unknown): void {
    this.#failure ??= error
    this.#tell()
  }

  async #makeDurable(open: OpenObject, ended: Ended): Promise<void> {
    const sealed = await open.seal()
    if (this.#failure !== null) return
    ended.entry = await this.#uploader.upload(sealed, this.#stop.signal)
    // An upload that was left to itself may still be reading it.
    if (ended.entry !== null) this.#settings.bodies.giveBack(sealed.body)
    this.#hold(-sealed.body.length)
  }

  #hold(bytes: number): void {
    if (this.#stop.signal.aborted) return
    this.#held += bytes
    if (bytes < 0) this.#tell()
  }

  #tell(): void {
    for (const wake of [...this.#waiting]) wake()
  }

  #change(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const wake = () => {
        this.#waiting.delete(wake)
        signal.removeEventListener('abort', wake)
        resolve()
      }
      this.#waiting.add(wake)
      signal.addEventListener('abort', wake, { once: true })
    })
  }

  #misuse(what: string): OperatorError {
    return new OperatorError(`raw archive: ${what}; open a writer at the offset where reading goes on`, {
      ...this.#task,
      offset: this.#expectedOffset,
    })
  }
}

function positive(name: string, value: number): number {
  if (Number.isSafeInteger(value) && value > 0) return value
  throw new ConfigurationError(`rawArchive: ${name} must be a positive integer, got ${value}`)
}

function prefix(value: string): string {
  if (value === '' || (value.endsWith('/') && !value.startsWith('/') && !value.includes('//'))) return value
  throw new ConfigurationError(
    `rawArchive: keyPrefix must be empty, or end in a slash and not begin with one, got ${JSON.stringify(value)}`,
  )
}
