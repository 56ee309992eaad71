/** An object as a listing tells of it: its key and `sizeBytes`, as it is stored. */
export interface StoredObject {
  readonly key: string
  readonly sizeBytes: number
}

/** Keeps whole, immutable objects: a directory or a bucket. */
export interface ObjectStore {
  /** For messages and the manifest: `file:///…` or `s3://bucket/prefix`. Never holds a secret. */
  readonly location: string
  /**
   * Makes the object, whole and durable, or finds it already there with the same bytes; both resolve alike, so a repeat is harmless.
   * Throws `DeterminismError` when the key holds other bytes and `RetryableError` when the store cannot be reached, is full or refuses.
   * @param body must not change until then, and may change afterwards: who keeps it copies it
   * @param sha256 lower-case hex of `body`
   */
  put(key: string, body: Uint8Array, sha256: string): Promise<void>
  /** The whole object, or null. */
  get(key: string): Promise<Buffer | null>
  /** Keys under the prefix, in byte order. */
  list(prefix: string): AsyncIterable<StoredObject>
  /** Nothing happens where there is no such object. */
  delete(key: string): Promise<void>
  /** Lets go of connections. The objects stay. */
  close(): Promise<void>
}
