/** Which part of the bytes to walk. */
export interface WalkRange {
  /** Records below it are skipped: batches are stored whole, a seek may point into the middle of one. */
  readonly startOffset?: number
  /** Records from it on are left out. */
  readonly endOffset?: number
  /**
   * Where the first batch must begin, and each next one where the last ended. For logs without compaction: the base offset is
   * outside the checksum, and this is what notices when it is wrong.
   */
  readonly gaplessFrom?: number
  /** What to leave out of transactional batches. Without it such a batch is refused: nobody said which of them were aborted. */
  readonly aborted?: readonly AbortedRange[]
}

/** The batches of one producer that an aborted transaction has left in a log: from its first offset up to its abort marker. */
export interface AbortedRange {
  readonly producerId: bigint
  readonly firstOffset: number
  readonly endOffset: number
}

/**
 * Gives what `bytes` were before `codec` (1 gzip, 2 snappy, 3 lz4, 4 zstd) packed them; null when that is more than `mostBytes`.
 * May throw anything on broken bytes.
 */
export type Decompress = (codec: number, bytes: Buffer, mostBytes: number) => Buffer | null

export interface WalkerOptions {
  /** Without it a compressed batch is refused. */
  readonly decompress?: Decompress
  /** The most bytes that one batch may hold once it is decompressed. Default 64 MiB. */
  readonly maxBatchBytes?: number
}
