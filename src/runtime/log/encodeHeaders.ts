import { varintBytes, writeVarint } from '../varint.ts'
import type { RecordHeader } from './record.ts'

const NOTHING = Buffer.alloc(0)

/** How many bytes `headers` take in a record, their count included. */
export function headersBytes(headers: readonly RecordHeader[]): number {
  let bytes = varintBytes(headers.length)
  for (const { key, value } of headers) {
    const keyBytes = Buffer.byteLength(key)
    bytes += varintBytes(keyBytes) + keyBytes + (value === null ? 1 : varintBytes(value.length) + value.length)
  }
  return bytes
}

/** Writes `headers` at `start` as Kafka's record batches v2 hold them and gives the place behind them. */
export function writeHeaders(buffer: Buffer, start: number, headers: readonly RecordHeader[]): number {
  let at = writeVarint(buffer, start, headers.length)
  for (const { key, value } of headers) {
    at = writeVarint(buffer, at, Buffer.byteLength(key))
    at += buffer.write(key, at)
    at = writeVarint(buffer, at, value === null ? -1 : value.length)
    if (value === null) continue
    buffer.set(value, at)
    at += value.length
  }
  return at
}

/** The headers as a `RecordView` points at them: no bytes at all where there are none. */
export function encodeHeaders(headers: readonly RecordHeader[]): Buffer {
  if (headers.length === 0) return NOTHING
  const bytes = Buffer.allocUnsafe(headersBytes(headers))
  writeHeaders(bytes, 0, headers)
  return bytes
}
