import { expect, test } from 'vitest'
import { type RecordHeader, RecordView } from '../../../../src/runtime/record.ts'
import { decodeFetched } from '../../../../src/sources/kafka/kafkajs/fetch.ts'
import { MessageBatch } from '../../../../src/sources/kafka/kafkajs/messageBatch.ts'
import { encodeRecordBatch } from '../../../../src/sources/recordBatch/encode.ts'
import { CODECS, compressed } from '../../../support/recordBatches.ts'

const text = (value: string) => Buffer.from(value)
const headers: readonly RecordHeader[] = [
  { key: 'binary', value: Buffer.from([0, 0xff, 0x80]) },
  { key: 'toString', value: text('a') },
  { key: 'toString', value: null },
  { key: '__proto__', value: text('b') },
  { key: 'constructor', value: Buffer.alloc(0) },
]
const records = [
  { timestamp: 1, key: text('k'), value: text('v'), headers },
  { timestamp: 2, key: text('k'), value: text('v') },
  { timestamp: 3, key: null, value: null, headers },
  { timestamp: 4, key: null, value: null },
  { timestamp: 5, key: Buffer.alloc(0), value: text('v'), headers },
]
const plain = encodeRecordBatch(0, records)

test.each([
  ['not', plain],
  ...CODECS.map(({ name, code, pack }): [string, Buffer] => [name, compressed(plain, code, pack)]),
])(
  'kafkajs gives keys, values and headers as they were written, whatever they are called; compressed: %s',
  async (_name, bytes) => {
    const fetched = { errorCode: 0, aborted: [], records: bytes }
    const decoded = await decodeFetched({ topic: 't', partition: 0 }, 0, fetched)
    const batch = new MessageBatch(0, decoded.records, 5, bytes.length, decoded.leaderEpochs)
    const view = new RecordView()
    const seen: unknown[] = []
    while (batch.read(view)) {
      seen.push({
        timestamp: view.timestamp,
        key: view.keyCopy(),
        value: view.valueCopy(),
        headers: view.headers(),
      })
    }
    expect(seen).toEqual(records.map((record) => ({ headers: [], ...record })))
  },
)
