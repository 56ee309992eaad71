import type { ObjectStore } from '../../runtime/objectStore.ts'
import { checkOptions, needed, type OptionRules, optional } from '../../runtime/options.ts'
import { parseArchiveKey } from './archiveKey.ts'

/** Where to look for orphans of a topic, and how to tell them. `store` is the one that the archive writes to. */
export interface SweepOptions {
  readonly store: ObjectStore
  readonly topic: string
  /** The offset of the record where the archive goes on, per partition, by the committed checkpoints. Read these before the manifest. */
  readonly nextOffsets: ReadonlyMap<number, number>
  /**
   * The keys that the manifest has for this topic, of every pipeline that archives it into this store. Read these
   * last.
   */
  readonly manifestKeys: ReadonlySet<string>
  /** Left alone whatever is known of them: objects that may be somebody else's. */
  readonly spared?: ReadonlySet<string>
  /** The `keyPrefix` that the archive was given; empty unless told otherwise. */
  readonly keyPrefix?: string
  /** Tells what would be deleted, and deletes nothing. */
  readonly dryRun?: boolean
}

const rules: OptionRules<SweepOptions> = {
  store: needed.record,
  topic: needed.text,
  nextOffsets: needed.such('a Map', (value) => value instanceof Map),
  manifestKeys: needed.such('a Set', (value) => value instanceof Set),
  spared: optional.such('a Set', (value) => value instanceof Set),
  keyPrefix: optional.such('text', (value) => typeof value === 'string'),
  dryRun: optional.flag,
}

/**
 * Deletes objects that no manifest names and none ever will, left over from uploads before a crash, and gives their
 * keys.
 *
 * Only what is provably over: an object of this topic that ends below its partition's committed next offset. Those
 * offsets only grow, so no writer with a right to commit will name such an object again. Everything else stays:
 * objects at or above the next offset (they may be in the next checkpoint), partitions without a next offset, keys of
 * another form. Reading the offsets before the manifest matters: an object committed in between is then at or above
 * the offset.
 */
export async function sweepOrphans(options: SweepOptions): Promise<string[]> {
  checkOptions('sweepOrphans', options, rules)
  const { store, topic, nextOffsets, manifestKeys, spared, keyPrefix = '', dryRun = false } = options
  const orphans: string[] = []
  for await (const { key } of store.list(`${keyPrefix}topic=${topic}/`)) {
    const parts = parseArchiveKey(key)
    if (parts === null || parts.topic !== topic || manifestKeys.has(key) || spared?.has(key)) continue
    const nextOffset = nextOffsets.get(parts.partition)
    if (nextOffset === undefined || parts.lastOffset >= nextOffset) continue
    orphans.push(key)
    if (!dryRun) await store.delete(key)
  }
  return orphans
}
