import type pg from 'pg'
import { EmbeddedLog } from '../../src/embedded/log/embeddedLog.ts'
import type { Random } from '../../src/testing/random.ts'
import { type DrawnBatch, drawBatch } from './batches.ts'
import { type DrawnRecord, drawRecord } from './records.ts'
import type { Round, RoundPlace } from './round.ts'
import { driveUntilDone } from './untilDone.ts'
import { type PlacedRecord, verify } from './verify.ts'

const topic = 'hostile'
const pipeline = new URL('./pipeline.ts', import.meta.url).pathname
/** Of a round, so that there are many of them. */
const roundBytes = 50 << 20
const leastRecordBytes = 100
/** A batch is closed with so many, as whoever appends to the log does. */
const mostBatchBytes = 256 << 10
const insertBatch = `INSERT INTO log_batch (topic, partition, base_offset, next_offset, record_count, max_timestamp, size_bytes, bytes)
VALUES ($1, 0, $2, $3, $4, -1, $5, $6)`

/** Batches of any bytes in the embedded log, under a run of the real command. */
export async function logRound(random: Random, place: RoundPlace): Promise<Round> {
  const { pool, schema } = place
  const batches = await fill(pool, random)
  const args = ['run', pipeline, '--topic', topic, '--until-end', '--schema', schema]
  const endOf = (offset: number) => batches.find(({ nextOffset }) => nextOffset > offset)?.nextOffset ?? offset + 1
  const { problems, skipped, ...driven } = await driveUntilDone(args, place, endOf)
  const records = batches.flatMap(placed)
  const found = problems.length > 0 ? problems : await verify(pool, topic, records, skipped)
  return { ...driven, records: records.length, skipped: skipped.length, problems: found }
}

async function fill(pool: pg.Pool, random: Random): Promise<readonly DrawnBatch[]> {
  const log = await EmbeddedLog.open({ pool, topic, partitions: 1 })
  await log.close()
  const batches: DrawnBatch[] = []
  let offset = 0
  let id = 0
  let budget = roundBytes
  for (let left = random.int(5, 40); left > 0; left--) {
    const records: DrawnRecord[] = []
    let batchBytes = 0
    for (let wanted = random.int(1, 25); wanted > 0 && batchBytes < mostBatchBytes; wanted--) {
      const drawn = drawRecord(random, id++, { mostBytes: Math.max(leastRecordBytes, budget) })
      const { value, key } = drawn.record
      batchBytes += (value?.length ?? 0) + (key?.length ?? 0)
      records.push(drawn)
    }
    budget -= batchBytes
    const batch = drawBatch(random, offset, records)
    const { baseOffset, nextOffset, bytes } = batch
    await pool.query(insertBatch, [topic, baseOffset, nextOffset, records.length, bytes.length, bytes])
    batches.push(batch)
    offset = nextOffset
  }
  await pool.query('UPDATE log_partition SET next_offset = $2 WHERE topic = $1', [topic, offset])
  return batches
}

function placed({ records, isBroken }: DrawnBatch): readonly PlacedRecord[] {
  return [...records].map(([offset, record]) => ({ ...record, offset, isInBroken: isBroken }))
}
