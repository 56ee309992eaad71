import type { IcebergSchema } from './icebergSchema.ts'
import type { TableIdentity } from './manifest.ts'
import { snapshotIdOf } from './snapshotId.ts'

/** A commit that a reader may still ask for; saved as a row. */
export interface SnapshotFacts {
  /** Counts the commits of the table from 1. */
  readonly sequence: number
  /** ms UTC. */
  readonly committedAt: number
  readonly operation: 'append' | 'overwrite' | 'delete'
  /** Texts, as readers show them. */
  readonly summary: Readonly<Record<string, string>>
  /** Below the table's location. */
  readonly manifestList: string
  readonly schemaId: number
  /** Below the table's location; of the newest, which is being made, there is none yet. */
  readonly metadata: string | null
}

/** A number that no double holds, in JSON. */
const { rawJSON } = JSON as unknown as { rawJSON(text: string): unknown }

/**
 * The metadata file of a table, as text.
 * @param snapshots those that are kept, oldest first; the last is the current one
 * @see "https://iceberg.apache.org/spec/#table-metadata-fields"
 */
export function tableMetadata(
  { uuid, location, schema, spec }: TableIdentity,
  schemas: readonly IcebergSchema[],
  snapshots: readonly SnapshotFacts[],
): string {
  const current = snapshots.at(-1) as SnapshotFacts
  const id = (sequence: number) => rawJSON(String(snapshotIdOf(uuid, sequence)))
  const currentId = id(current.sequence)
  return JSON.stringify({
    'format-version': 2,
    'table-uuid': uuid,
    location,
    'last-sequence-number': current.sequence,
    'last-updated-ms': current.committedAt,
    'last-column-id': schema.fields.length,
    schemas,
    'current-schema-id': schema['schema-id'],
    'partition-specs': [spec],
    'default-spec-id': spec['spec-id'],
    'last-partition-id': Math.max(999, ...spec.fields.map((field) => field['field-id'])),
    'sort-orders': [{ 'order-id': 0, fields: [] }],
    'default-sort-order-id': 0,
    properties: { owner: 'millrace', 'write.format.default': 'parquet', 'write.parquet.compression-codec': 'zstd' },
    'current-snapshot-id': currentId,
    refs: { main: { 'snapshot-id': currentId, type: 'branch' } },
    snapshots: snapshots.map(({ sequence, committedAt, operation, summary, manifestList, schemaId }, i) => ({
      'snapshot-id': id(sequence),
      // The parent of the oldest that is kept is gone.
      ...(i === 0 ? {} : { 'parent-snapshot-id': id(sequence - 1) }),
      'sequence-number': sequence,
      'timestamp-ms': committedAt,
      summary: { operation, ...summary },
      'manifest-list': `${location}/${manifestList}`,
      'schema-id': schemaId,
    })),
    'snapshot-log': snapshots.map(({ sequence, committedAt }) => ({
      'snapshot-id': id(sequence),
      'timestamp-ms': committedAt,
    })),
    'metadata-log': snapshots.flatMap(({ metadata, committedAt }) =>
      metadata === null ? [] : [{ 'metadata-file': `${location}/${metadata}`, 'timestamp-ms': committedAt }],
    ),
  })
}
