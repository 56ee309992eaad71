/** What the embedded log says to PostgreSQL. Tables: sql/0002_log.sql. Parameters $1 topic, $2 partition unless a comment says otherwise. */

export const CREATE_TOPIC = `
  INSERT INTO log_topic (topic, partitions) VALUES ($1, $2) ON CONFLICT (topic) DO NOTHING`

export const CREATE_PARTITIONS = `
  INSERT INTO log_partition (topic, partition)
  SELECT topic, generate_series(0, partitions - 1) FROM log_topic WHERE topic = $1
  ON CONFLICT (topic, partition) DO NOTHING`

export const TOPIC = `SELECT partitions FROM log_topic WHERE topic = $1`

export const BOUNDS = `
  SELECT earliest_offset AS earliest, next_offset AS next FROM log_partition WHERE topic = $1 AND partition = $2`

/** $3 the offset from which on is looked, $4 ms UTC: the first batch with a record of that time or after it. */
export const FIRST_BATCH_AT = `
  SELECT base_offset AS base FROM log_batch
  WHERE topic = $1 AND partition = $2 AND next_offset > $3 AND max_timestamp >= $4 ORDER BY base_offset LIMIT 1`

/** $1 topic, $2 partition, $3 offset, $4 bytes, $5 rows, for the COPY below, which takes no parameters itself. */
export const SET_RANGE = `
  SELECT set_config('millrace.topic', $1, false), set_config('millrace.partition', $2, false),
    set_config('millrace.offset', $3, false), set_config('millrace.bytes', $4, false), set_config('millrace.rows', $5, false)`

/** Of a batch, in one message: the driver takes a message apart when it has come whole, and holds several times its bytes until then. */
const sliceBytes = 1_048_576

/**
 * Whole batches from the one that holds the offset, or the first behind it, up to so many bytes, but one in any case: offsets, length, and the bytes, in as many rows as they
 * have slices.
 */
export const COPY_BATCHES = `
  COPY (
    SELECT base_offset, next_offset, octet_length(bytes),
      CASE WHEN octet_length(bytes) <= ${sliceBytes} THEN bytes ELSE substring(bytes FROM slice * ${sliceBytes} + 1 FOR ${sliceBytes}) END
    FROM (
      SELECT base_offset, next_offset, size_bytes, bytes, sum(size_bytes) OVER (ORDER BY base_offset) AS up_to_here
      FROM (
        SELECT base_offset, next_offset, size_bytes, bytes
        FROM log_batch
        WHERE topic = current_setting('millrace.topic')
          AND partition = current_setting('millrace.partition')::integer
          AND next_offset > current_setting('millrace.offset')::bigint
          AND base_offset >= coalesce((
            SELECT max(base_offset) FROM log_batch
            WHERE topic = current_setting('millrace.topic')
              AND partition = current_setting('millrace.partition')::integer
              AND base_offset <= current_setting('millrace.offset')::bigint), 0)
        ORDER BY base_offset
        LIMIT current_setting('millrace.rows')::integer
      ) AS following
    ) AS summed, generate_series(0, greatest(octet_length(bytes) - 1, 0) / ${sliceBytes}) AS slice
    WHERE up_to_here <= current_setting('millrace.bytes')::bigint OR up_to_here = size_bytes
    ORDER BY base_offset, slice
  ) TO STDOUT (FORMAT binary)`

/** $2 producer. Waits for an append of the older holder that is still under way, so the position it gives is final. */
export const CLAIM_PRODUCER = `
  INSERT INTO log_producer AS held (topic, producer, generation) VALUES ($1, $2, 1)
  ON CONFLICT (topic, producer) DO UPDATE SET generation = held.generation + 1
  RETURNING generation, position`

/** $2 producer, $3 generation, $4 position. No row: another holder has claimed. */
export const STORE_POSITION = `
  UPDATE log_producer SET position = $4 WHERE topic = $1 AND producer = $2 AND generation = $3`

/** $2 partitions. Locked in one order by everybody, so two producers never wait for each other. */
export const LOCK_PARTITIONS = `
  SELECT partition, next_offset AS next FROM log_partition
  WHERE topic = $1 AND partition = ANY ($2::int[]) ORDER BY partition FOR UPDATE`

export const INSERT_BATCH = `
  INSERT INTO log_batch (topic, partition, base_offset, next_offset, record_count, max_timestamp, size_bytes, bytes)
  VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`

/** $2 partitions, $3 their next offsets. */
export const MOVE_NEXT_OFFSETS = `
  UPDATE log_partition AS held SET next_offset = moved.next_offset
  FROM unnest($2::int[], $3::bigint[]) AS moved (partition, next_offset)
  WHERE held.topic = $1 AND held.partition = moved.partition`

/** $3 the offset below which nothing is wanted any more. */
export const MOVE_EARLIEST_OFFSET = `
  UPDATE log_partition SET earliest_offset = least(greatest(earliest_offset, $3::bigint), next_offset)
  WHERE topic = $1 AND partition = $2
  RETURNING earliest_offset AS earliest`

/** $3 the earliest offset. Also removes what an earlier trim left when it was interrupted. */
export const DELETE_BATCHES = `
  DELETE FROM log_batch WHERE topic = $1 AND partition = $2 AND base_offset < $3 AND next_offset <= $3`

/** $3 ms: the first batch that was appended less long ago. By the time of appending, since event times may lie years back, or ahead. */
export const FIRST_YOUNG_BATCH = `
  SELECT base_offset AS first FROM log_batch
  WHERE topic = $1 AND partition = $2 AND appended_at >= now() - $3 * interval '1 millisecond'
  ORDER BY base_offset LIMIT 1`

/** $3 bytes: where the newest batches add up to more than so many, the end of the newest one that is too much. */
export const END_OF_EXCESS = `
  SELECT next_offset AS first
  FROM (
    SELECT base_offset, next_offset, sum(size_bytes) OVER (ORDER BY base_offset DESC) AS kept_bytes
    FROM log_batch WHERE topic = $1 AND partition = $2
  ) AS newest_first
  WHERE kept_bytes > $3 ORDER BY base_offset DESC LIMIT 1`
