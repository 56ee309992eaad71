/**
 * The Avro schemas of manifests and manifest lists, by field id.
 * @see "https://iceberg.apache.org/spec/#manifests"
 */
type AvroType = string | object

function field(name: string, type: AvroType, id: number): object {
  return { name, type, 'field-id': id, ...(Array.isArray(type) ? { default: null } : {}) }
}

const optional = (type: AvroType): AvroType => ['null', type]

/** A map from field ids, which Avro knows as a list of pairs. */
function byField(key: number, value: number, type: string): AvroType {
  const pair = {
    type: 'record',
    name: `k${key}_v${value}`,
    fields: [field('key', 'int', key), field('value', type, value)],
  }
  return optional({ type: 'array', logicalType: 'map', items: pair })
}

/** Entries of a manifest whose files are cut by these partition fields. */
export function manifestEntrySchema(partition: readonly { readonly name: string; readonly id: number }[]): object {
  const partitionFields = partition.map(({ name, id }) =>
    field(name, optional({ type: 'int', logicalType: 'date' }), id),
  )
  const dataFile = {
    type: 'record',
    name: 'r2',
    fields: [
      field('content', 'int', 134),
      field('file_path', 'string', 100),
      field('file_format', 'string', 101),
      field('partition', { type: 'record', name: 'r102', fields: partitionFields }, 102),
      field('record_count', 'long', 103),
      field('file_size_in_bytes', 'long', 104),
      field('value_counts', byField(119, 120, 'long'), 109),
      field('null_value_counts', byField(121, 122, 'long'), 110),
      field('lower_bounds', byField(126, 127, 'bytes'), 125),
      field('upper_bounds', byField(129, 130, 'bytes'), 128),
    ],
  }
  return {
    type: 'record',
    name: 'manifest_entry',
    fields: [
      field('status', 'int', 0),
      field('snapshot_id', optional('long'), 1),
      field('sequence_number', optional('long'), 3),
      field('file_sequence_number', optional('long'), 4),
      field('data_file', dataFile, 2),
    ],
  }
}

const fieldSummary = {
  type: 'record',
  name: 'r508',
  fields: [
    field('contains_null', 'boolean', 509),
    field('contains_nan', optional('boolean'), 518),
    field('lower_bound', optional('bytes'), 510),
    field('upper_bound', optional('bytes'), 511),
  ],
}

/** Entries of a manifest list. */
export const manifestFileSchema: object = {
  type: 'record',
  name: 'manifest_file',
  fields: [
    field('manifest_path', 'string', 500),
    field('manifest_length', 'long', 501),
    field('partition_spec_id', 'int', 502),
    field('content', 'int', 517),
    field('sequence_number', 'long', 515),
    field('min_sequence_number', 'long', 516),
    field('added_snapshot_id', 'long', 503),
    field('added_files_count', 'int', 504),
    field('existing_files_count', 'int', 505),
    field('deleted_files_count', 'int', 506),
    field('added_rows_count', 'long', 512),
    field('existing_rows_count', 'long', 513),
    field('deleted_rows_count', 'long', 514),
    field('partitions', optional({ type: 'array', 'element-id': 508, items: fieldSummary }), 507),
  ],
}
