import { avroContainer } from './avroContainer.ts'
import type { FileFacts } from './dataFile.ts'
import type { IcebergSchema, IcebergSpec } from './icebergSchema.ts'
import { manifestEntrySchema, manifestFileSchema } from './manifestSchemas.ts'
import { snapshotIdOf } from './snapshotId.ts'

/** What a commit does with a file. @see "https://iceberg.apache.org/spec/#manifest-entry-fields" */
export const fileStatus = { existing: 0, added: 1, deleted: 2 } as const

/** A file in a manifest. */
export interface ManifestEntry {
  readonly status: (typeof fileStatus)[keyof typeof fileStatus]
  readonly file: FileFacts
  /** The sequence of the commit that added it. */
  readonly added: number
}

/** What a manifest list says of a manifest; saved as JSON. */
export interface ManifestFacts {
  /** Below the table's location. */
  readonly path: string
  readonly sizeBytes: number
  /** The sequence of the commit that wrote it. */
  readonly sequence: number
  readonly minSequence: number
  readonly files: readonly [existing: number, added: number, deleted: number]
  readonly rows: readonly [existing: number, added: number, deleted: number]
  /** Least and greatest day of its files; null in a table that is not cut. */
  readonly days: readonly [least: number, greatest: number] | null
}

/** What all files of a table's metadata have in common. */
export interface TableIdentity {
  readonly uuid: string
  readonly location: string
  readonly schema: IcebergSchema
  readonly spec: IcebergSpec
}

/** The manifest of some files. */
export function manifestBytes(
  { uuid, location, schema, spec }: TableIdentity,
  sequence: number,
  entries: readonly ManifestEntry[],
  sync: Uint8Array,
): Buffer {
  const [partition] = spec.fields
  const avroSchema = manifestEntrySchema(spec.fields.map((one) => ({ name: one.name, id: one['field-id'] })))
  const rows = entries.map(({ status, file, added }) => {
    const byId = <V>(values: Readonly<Record<string, V>>, of: (value: V) => unknown) =>
      Object.entries(values).map(([id, value]) => ({ key: Number(id), value: of(value) }))
    return {
      status,
      snapshot_id: snapshotIdOf(uuid, status === fileStatus.deleted ? sequence : added),
      sequence_number: added,
      file_sequence_number: added,
      data_file: {
        content: 0,
        file_path: `${location}/${file.path}`,
        file_format: 'PARQUET',
        partition: partition === undefined ? {} : { [partition.name]: file.day },
        record_count: file.rowCount,
        file_size_in_bytes: file.sizeBytes,
        value_counts: byId(file.nullCounts, () => file.rowCount),
        null_value_counts: byId(file.nullCounts, (count) => count),
        lower_bounds: byId(file.lower, (bound) => Buffer.from(bound, 'base64')),
        upper_bounds: byId(file.upper, (bound) => Buffer.from(bound, 'base64')),
      },
    }
  })
  const metadata = {
    schema: JSON.stringify(schema),
    'schema-id': String(schema['schema-id']),
    'partition-spec': JSON.stringify(spec.fields),
    'partition-spec-id': String(spec['spec-id']),
    'format-version': '2',
    content: 'data',
  }
  return avroContainer(avroSchema, metadata, rows, sync)
}

/** What the list says of the manifest. */
export function manifestFacts(
  path: string,
  sizeBytes: number,
  sequence: number,
  entries: readonly ManifestEntry[],
): ManifestFacts {
  const count = (of: (entry: ManifestEntry) => number) => {
    const sums: [number, number, number] = [0, 0, 0]
    for (const entry of entries) sums[entry.status] += of(entry)
    return sums
  }
  const days = entries.flatMap(({ file }) => (file.day === null ? [] : [file.day]))
  const live = entries.filter(({ status }) => status !== fileStatus.deleted).map(({ added }) => added)
  return {
    path,
    sizeBytes,
    sequence,
    minSequence: Math.min(sequence, ...live),
    files: count(() => 1),
    rows: count(({ file }) => file.rowCount),
    days: days.length === 0 ? null : [Math.min(...days), Math.max(...days)],
  }
}

/** The list of a snapshot's manifests. */
export function manifestListBytes(
  { uuid, location }: TableIdentity,
  sequence: number,
  manifests: readonly ManifestFacts[],
  sync: Uint8Array,
): Buffer {
  const rows = manifests.map(({ path, sizeBytes, sequence: writtenBy, minSequence, files, rows, days }) => ({
    manifest_path: `${location}/${path}`,
    manifest_length: sizeBytes,
    partition_spec_id: 0,
    content: 0,
    sequence_number: writtenBy,
    min_sequence_number: minSequence,
    added_snapshot_id: snapshotIdOf(uuid, writtenBy),
    added_files_count: files[fileStatus.added],
    existing_files_count: files[fileStatus.existing],
    deleted_files_count: files[fileStatus.deleted],
    added_rows_count: rows[fileStatus.added],
    existing_rows_count: rows[fileStatus.existing],
    deleted_rows_count: rows[fileStatus.deleted],
    partitions:
      days === null
        ? []
        : [{ contains_null: false, contains_nan: false, lower_bound: int32(days[0]), upper_bound: int32(days[1]) }],
  }))
  const metadata = {
    'snapshot-id': String(snapshotIdOf(uuid, sequence)),
    'parent-snapshot-id': sequence === 1 ? 'null' : String(snapshotIdOf(uuid, sequence - 1)),
    'sequence-number': String(sequence),
    'format-version': '2',
  }
  return avroContainer(manifestFileSchema, metadata, rows, sync)
}

function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeInt32LE(value)
  return bytes
}
