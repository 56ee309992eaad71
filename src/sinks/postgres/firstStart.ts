import type pg from 'pg'
import { ConfigurationError } from '../../runtime/errors.ts'
import { asMillraceError } from './errors.ts'

const committed = `SELECT topic, partition, next_offset::float8 AS "nextOffset" FROM stream_task
WHERE pipeline = $1 AND next_offset IS NOT NULL ORDER BY topic, partition LIMIT 1`

/**
 * For a start that says where to begin. A pipeline with a checkpoint goes on there, so that it would begin elsewhere only in partitions that it has not reached
 * yet, which nobody means.
 * @throws ConfigurationError where the pipeline has committed anything in the schema of the pool
 */
export async function requireFirstStart(pool: pg.Pool, pipeline: string): Promise<void> {
  const { rows } = await pool
    .query<{ topic: string; partition: number; nextOffset: number }>(committed, [pipeline])
    .catch((error: unknown) => {
      throw asMillraceError(error, `look for checkpoints of pipeline ${pipeline}`, { pipeline })
    })
  const [found] = rows
  if (found === undefined) return
  throw new ConfigurationError(
    `pipeline ${pipeline} has a checkpoint (${found.topic}/${found.partition} at offset ${found.nextOffset}) and goes on there; where to start is for its first start. ` +
      'Leave the place out to go on (--from, or from in the settings), give the pipeline a new name to begin elsewhere beside it, ' +
      `or drop what it keeps with \`millrace state drop --pipeline ${pipeline}\`.`,
    { pipeline },
  )
}
