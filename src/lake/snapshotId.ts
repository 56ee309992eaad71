import { createHash } from 'node:crypto'

/** The id of the snapshot that a table's commit makes: 63 bits, a function of both, so that an attempt which is repeated makes the same. */
export function snapshotIdOf(tableUuid: string, sequence: number): bigint {
  return createHash('sha256').update(`${tableUuid}#${sequence}`).digest().readBigUInt64BE() >> 1n
}
