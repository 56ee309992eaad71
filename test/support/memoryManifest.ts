import type { ArchiveManifest, ArchiveOf, SkippedOffsets } from '../../src/replay/archiveManifest.ts'
import type { ArchivedObject } from '../../src/runtime/store/checkpoint.ts'

/** A manifest of objects that are asked for each time. */
export function memoryManifest(
  of: ArchiveOf,
  partitions: number,
  objectsOf: (partition: number) => readonly ArchivedObject[],
  skipped: readonly SkippedOffsets[] = [],
): ArchiveManifest {
  return {
    ...of,
    partitions: async () => partitions,
    bounds: async (partition) => {
      const objects = objectsOf(partition)
      return { earliest: objects[0]?.firstOffset ?? 0, next: (objects.at(-1)?.lastOffset ?? -1) + 1 }
    },
    objects: async (partition, fromOffset, limit, fromTime = Number.NEGATIVE_INFINITY) =>
      objectsOf(partition)
        .filter(({ lastOffset, maxTimestamp }) => lastOffset >= fromOffset && maxTimestamp >= fromTime)
        .slice(0, limit),
    skipped: async () => skipped,
  }
}
