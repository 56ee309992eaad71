import assert from 'node:assert/strict'
import type { Lender } from '../../src/runtime/log/codec.ts'
import { ReadAhead } from '../../src/runtime/log/readAhead.ts'
import { kept } from '../../src/runtime/spans/lent.ts'
import { encodeRecordBatch } from '../../src/sources/recordBatch/encode.ts'
import { RecordBatchWalker } from '../../src/sources/recordBatch/walker.ts'

/** Holds what a lender says that one object lends against lending record by record, which of each record is `expected`. Gives how many were said to be lent together. */
export function lendsTogether<T>(
  codec: { readonly lender?: ((rows: number) => Lender<T>) | undefined },
  values: readonly string[],
  expected: readonly unknown[],
): number {
  const records = values.map((value) => ({ timestamp: 0, key: null, value: Buffer.from(value), headers: [] }))
  const ahead = new ReadAhead(values.length)
  ahead.next(new RecordBatchWalker('values', 0).load(encodeRecordBatch(0, records)))
  const lender = codec.lender?.(values.length)
  assert(lender !== undefined)
  lender.read(ahead)
  let together = 0
  for (let row = 0; row < values.length; row += 1) {
    const object: T | undefined = lender.lend(row)
    if (object === undefined) continue
    assert.deepEqual(kept(object), expected[row])
    const end = lender.lentUntil(row, values.length)
    assert(end > row && end <= values.length)
    assert.equal(lender.lentUntil(row, row + 1), row + 1)
    for (let next = row + 1; next < end; next += 1) assert.equal(lender.lend(next), object, `${next} as ${row}`)
    together += end - row - 1
  }
  return together
}
