import { createHash } from 'node:crypto'
import { expect, test } from 'vitest'
import { LineBuffer } from '../../../src/sinks/archive/lineBuffer.ts'
import { PieceBuffers } from '../../../src/sinks/archive/pieceBuffers.ts'
import { recordOf } from '../../codecs/recordOf.ts'

const keys = [
  null,
  'BTCUSDT',
  '',
  'A',
  'a "quoted" key',
  '币安人生USDT',
  'k'.repeat(64),
  'k'.repeat(65),
  'k'.repeat(300),
]
const values = [
  ...[null, '{}', '{"a":1}', 'not json', '', '{"text":"é"}', '{"a":\n1}', '[1,2]'],
  ...Array.from({ length: 70 }, (_, length) => `{"a":"${'x'.repeat(length)}"}`),
  ...[`{"a":"${'y'.repeat(255)}"}`, `{"a":"${'z'.repeat(5_000)}"}`],
]
const times = [-1, 0, 7, 1_723_161_255_342, 1_723_161_255_343, 1e15 + 1, Number.MAX_SAFE_INTEGER]

/** Records with every kind of key, value, header, time and offset; the same ones for ever. */
function* records() {
  let offset = 0
  for (const [k, key] of keys.entries()) {
    for (const [v, value] of values.entries()) {
      const record = recordOf({
        key: key === null ? null : Buffer.from(key),
        value: value === null ? null : Buffer.from(value),
        headers: (k + v) % 11 === 0 ? [{ key: 'trace', value: Buffer.from([k, v]) }] : [],
      })
      record.offset = offset
      record.timestamp = times[(k + v) % times.length] as number
      yield record
      offset = offset < 20 ? offset + 1 : Math.min(offset * 2 + v, Number.MAX_SAFE_INTEGER)
    }
  }
  const odd = recordOf({ key: Buffer.from([0xff, 0xfe]), value: Buffer.from('{"a":2}') })
  odd.offset = Number.MAX_SAFE_INTEGER
  yield odd
}

test('a line says of a record what JSON does', () => {
  const lines = new LineBuffer(new PieceBuffers())
  for (const record of records()) {
    const length = lines.append(record)
    const line = lines.take().toString()
    expect(Buffer.byteLength(line)).toBe(length)
    expect(line.startsWith(`{"offset":${record.offset},"timestamp":${record.timestamp},"key`)).toBe(true)
    const { key, key_base64, value, base64 } = JSON.parse(line)
    if (key_base64 === undefined) expect(key).toBe(record.keyText())
    if (base64 === undefined) expect(value).toEqual(JSON.parse(record.valueText() ?? 'null'))
    else expect(Buffer.from(base64, 'base64')).toEqual(record.valueCopy())
  }
})

test('lines have the bytes that they have always had, or a start after an upgrade would find other objects than those that are there', () => {
  const lines = new LineBuffer(new PieceBuffers())
  for (let round = 0; round < 3; round++) for (const record of records()) lines.append(record, { isJsonObject: false })
  const bytes = lines.take()
  expect([bytes.length, createHash('sha256').update(bytes).digest('hex')]).toEqual([
    488028,
    'f34260dde85b4351a0961cc99e8e05a32ee41ef3d6d26411918e1713420b0969',
  ])
})
