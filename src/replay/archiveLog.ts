import { type Clock, systemClock } from '../runtime/clock.ts'
import { ConfigurationError, OffsetOutOfRangeError } from '../runtime/errors.ts'
import type {
  AssignmentListener,
  FetchOptions,
  LogBounds,
  LogMembership,
  LogReader,
  LogSource,
  RecordBatch,
} from '../runtime/log/log.ts'
import { RecordView } from '../runtime/log/record.ts'
import type { RecordColumns } from '../runtime/log/recordColumns.ts'
import type { ObjectStore } from '../runtime/objectStore.ts'
import { ArchiveLines } from '../sinks/archive/archiveLines.ts'
import { ArchivedFrames } from './archivedFrames.ts'
import type { ArchiveManifest, SkippedOffsets } from './archiveManifest.ts'

/** What an archive is read by. */
export interface ArchiveLogOptions {
  /** What it has, and where its end is. */
  readonly manifest: ArchiveManifest
  /** Where the objects are. */
  readonly store: ObjectStore
  /** Only a reader at the end uses it, which waits for nothing. Default: the system's. */
  readonly clock?: Clock
  /**
   * Where a partition ends for this log: `settleMs` behind the first record that is not before `time` (ms UTC). So what a silence leaves open is closed, as it was by the record behind the
   * silence. All that is archived, if left out.
   */
  readonly until?: { readonly time: number; readonly settleMs: number }
}

/**
 * The archive of a topic as a log: the same records at the same offsets, headers included, so that a pipeline reads it instead of the topic.
 *
 * What a person has had the pipeline leave out is left out here too. It is bounded: where a partition ends is asked once, at its first reader, and what is archived later is for another log. Whoever reads it drains it. Holds two objects a reader, as they are stored: the one at hand, and
 * the next one, which is fetched meanwhile; and some 256 KiB of lines.
 */
export class ArchiveLog implements LogSource {
  readonly topic: string
  readonly #options: ArchiveLogOptions
  readonly #places = new Map<number, Promise<Place>>()
  #partitions: Promise<number> | null = null

  constructor(options: ArchiveLogOptions) {
    this.topic = options.manifest.topic
    this.#options = options
  }

  async partitions(): Promise<readonly number[]> {
    this.#partitions ??= this.#options.manifest.partitions()
    return [...Array(await this.#partitions).keys()]
  }

  /** Assigns all partitions at once. */
  async join(listener: AssignmentListener): Promise<LogMembership> {
    listener.onAssign(await this.partitions())
    return { reportProgress: () => undefined, leave: async () => undefined }
  }

  reader(partition: number): LogReader {
    const { manifest, store, clock = systemClock } = this.#options
    if (!Number.isInteger(partition) || partition < 0)
      throw new ConfigurationError(`archive of ${this.topic}: partition ${partition} is no partition`)
    const place = this.#places.get(partition) ?? placeIn(this.#options, partition)
    this.#places.set(partition, place)
    // Whoever asks for it learns of a failure.
    place.catch(() => undefined)
    return new ArchiveLogReader({ manifest, store, clock, partition, place })
  }

  /** The store is whose who opened it. */
  async close(): Promise<void> {}
}

/** What is read of a partition. */
interface Place {
  readonly bounds: LogBounds
  readonly skipped: readonly SkippedOffsets[]
}

async function placeIn({ manifest, store, until }: ArchiveLogOptions, partition: number): Promise<Place> {
  const [bounds, skipped] = await Promise.all([manifest.bounds(partition), manifest.skipped(partition)])
  const end = until === undefined ? null : await endBehind(manifest, store, partition, until)
  return { bounds: { ...bounds, next: Math.min(bounds.next, end ?? bounds.next) }, skipped }
}

/** No market is silent for so long: a record that says so has a time that is none. */
const longestSilenceMs = 7 * 86_400_000

async function endBehind(
  manifest: ArchiveManifest,
  store: ObjectStore,
  partition: number,
  { time, settleMs }: { readonly time: number; readonly settleMs: number },
): Promise<number | null> {
  const first = await firstAtOrBehind(manifest, store, partition, { time, withinMs: longestSilenceMs })
  if (first === null) return null
  const settled = { time: first.timestamp + settleMs, withinMs: longestSilenceMs, fromOffset: first.offset }
  return (await firstAtOrBehind(manifest, store, partition, settled))?.offset ?? null
}

interface ReaderOptions {
  readonly manifest: ArchiveManifest
  readonly store: ObjectStore
  readonly clock: Clock
  readonly partition: number
  readonly place: Promise<Place>
}

const pageObjects = 64

class ArchiveLogReader implements LogReader {
  readonly partition: number
  readonly #options: ReaderOptions
  readonly #batch: PieceBatch
  #next = 0
  #frames: ArchivedFrames | null = null
  /** The object behind the one at hand, which is fetched while that is read. */
  #ahead: { readonly offset: number; readonly opening: Promise<ArchivedFrames | null> } | null = null
  readonly #closed = new AbortController()

  constructor(options: ReaderOptions) {
    this.partition = options.partition
    this.#options = options
    this.#batch = new PieceBatch(options.partition)
  }

  seek(offset: number): void {
    this.#next = offset
    this.#frames = null
    this.#ahead = null
    this.#batch.release()
  }

  async fetch({ maxWaitMs, signal }: FetchOptions): Promise<RecordBatch | null> {
    const { clock, manifest } = this.#options
    this.#batch.release()
    const { bounds, skipped } = await this.#options.place
    const { earliest, next } = bounds
    if (this.#next > next || this.#next < earliest) {
      throw new OffsetOutOfRangeError(
        `archive of ${manifest.topic}/${this.partition}: it has offsets ${earliest} to ${next} and not ${this.#next}; seek to ${earliest} to read what is left`,
        { topic: manifest.topic, partition: this.partition, offset: this.#next },
      )
    }
    while (this.#next < next) {
      this.#frames ??= await this.#open(this.#next, next)
      if (this.#frames === null) break
      const piece = this.#frames.next()
      if (piece === null) {
        this.#next = Math.max(this.#next, this.#frames.object.lastOffset + 1)
        this.#frames = null
        continue
      }
      const batch = this.#batch.load(piece, this.#next, skipped)
      if (batch.nextOffset <= this.#next) continue
      this.#next = batch.nextOffset
      return batch
    }
    const closed = this.#closed.signal
    if (maxWaitMs > 0) await clock.sleep(maxWaitMs, signal === undefined ? closed : AbortSignal.any([signal, closed]))
    return null
  }

  async bounds(): Promise<LogBounds> {
    return (await this.#options.place).bounds
  }

  async offsetAt(time: number): Promise<number> {
    const { manifest, store } = this.#options
    const { next } = await this.bounds()
    return Math.min((await firstAtOrBehind(manifest, store, this.partition, { time }))?.offset ?? next, next)
  }

  async close(): Promise<void> {
    this.#closed.abort()
    this.seek(this.#next)
  }

  async #open(offset: number, end: number): Promise<ArchivedFrames | null> {
    const ahead = this.#ahead
    this.#ahead = null
    const frames = await (ahead?.offset === offset ? ahead.opening : this.#fetchObject(offset))
    const behind = frames === null ? end : frames.object.lastOffset + 1
    if (behind >= end) return frames
    const opening = this.#fetchObject(behind)
    // Whoever comes there learns of a failure.
    opening.catch(() => undefined)
    this.#ahead = { offset: behind, opening }
    return frames
  }

  async #fetchObject(offset: number): Promise<ArchivedFrames | null> {
    const { manifest, store } = this.#options
    const [object] = await manifest.objects(this.partition, offset, 1)
    return object === undefined ? null : ArchivedFrames.open(store, object)
  }
}

interface FoundRecord {
  readonly offset: number
  /** ms UTC. */
  readonly timestamp: number
}

interface WantedRecord {
  /** Not before it, ms UTC. */
  readonly time: number
  /** Nor so far behind it; however far, if left out. */
  readonly withinMs?: number
  /** Among those from here on; all, if left out. */
  readonly fromOffset?: number
}

/** The first record that is wanted; null where there is none. */
async function firstAtOrBehind(
  manifest: ArchiveManifest,
  store: ObjectStore,
  partition: number,
  wanted: WantedRecord,
): Promise<FoundRecord | null> {
  for (let from = wanted.fromOffset ?? 0; ; ) {
    const objects = await manifest.objects(partition, from, pageObjects, wanted.time)
    for (const object of objects) {
      const found = firstOf(await ArchivedFrames.open(store, object), wanted)
      if (found !== null) return found
    }
    const last = objects.at(-1)
    if (last === undefined) return null
    from = last.lastOffset + 1
  }
}

function firstOf(
  frames: ArchivedFrames,
  { time, withinMs = Number.POSITIVE_INFINITY, fromOffset = 0 }: WantedRecord,
): FoundRecord | null {
  const view = new RecordView()
  const lines = new ArchiveLines()
  for (let piece = frames.next(); piece !== null; piece = frames.next()) {
    lines.load(piece)
    while (lines.read(view)) {
      const { offset, timestamp } = view
      if (timestamp >= time && timestamp <= time + withinMs && offset >= fromOffset) return { offset, timestamp }
    }
  }
  return null
}

const noBytes = Buffer.alloc(0)
const newline = 0x0a

/** The records of some whole lines, from an offset on. */
class PieceBatch implements RecordBatch {
  readonly partition: number
  nextOffset = 0
  byteLength = 0
  readonly #lines = new ArchiveLines()
  readonly #last = new RecordView()
  #from = 0
  #skipped: readonly SkippedOffsets[] = []

  constructor(partition: number) {
    this.partition = partition
  }

  load(piece: Buffer, from: number, skipped: readonly SkippedOffsets[]): this {
    // Where the last line begins: what stands before it ends with a newline, or it is the only one.
    const lastLine = piece.lastIndexOf(newline, piece.length - 2) + 1
    this.#lines.load(piece.subarray(lastLine)).read(this.#last)
    this.nextOffset = this.#last.offset + 1
    this.byteLength = piece.length
    this.#from = from
    this.#skipped = skipped.filter(({ fromOffset, toOffset }) => fromOffset < this.nextOffset && toOffset > from)
    this.#lines.load(piece)
    return this
  }

  release(): void {
    this.#lines.load(noBytes)
    this.byteLength = 0
  }

  readMany(columns: RecordColumns): void {
    if (this.#skipped.length === 0) this.#lines.readMany(columns, this.#from)
  }

  read(view: RecordView): boolean {
    const lines = this.#lines
    while (lines.read(view)) {
      const { offset } = view
      if (offset < this.#from) continue
      if (this.#skipped.length > 0 && this.#skipped.some((one) => offset >= one.fromOffset && offset < one.toOffset))
        continue
      return true
    }
    return false
  }
}
