import type { Clock } from '../../../src/runtime/clock.ts'
import { encodeHeaders } from '../../../src/runtime/log/encodeHeaders.ts'
import { ReadAhead } from '../../../src/runtime/log/readAhead.ts'
import { RecordView } from '../../../src/runtime/log/record.ts'
import type { ObjectStore } from '../../../src/runtime/objectStore.ts'
import type { Archive, ArchiveWriter } from '../../../src/runtime/store/archive.ts'
import { type RawArchiveOptions, rawArchive } from '../../../src/sinks/archive/rawArchive.ts'
import type { ArchivedRecord } from '../../../src/sinks/archive/readArchiveObject.ts'

export const task = { pipeline: 'realtime', topic: 'crypto.trades.raw', partition: 2 } as const

export function record(
  offset: number,
  timestamp: number,
  key: string | Buffer | null,
  value: string | Buffer | null,
): ArchivedRecord {
  const bytes = (of: string | Buffer | null) => (of === null ? null : Buffer.from(of as string))
  return { offset, timestamp, key: bytes(key), value: bytes(value) }
}

/** The record as a log would show it: in the middle of a larger buffer. */
export function viewOf({ offset, timestamp, key, value, headers = [] }: ArchivedRecord): RecordView {
  const view = new RecordView()
  const encoded = encodeHeaders(headers)
  view.offset = offset
  view.timestamp = timestamp
  view.buffer = Buffer.concat([
    Buffer.from('before'),
    key ?? Buffer.alloc(0),
    value ?? Buffer.alloc(0),
    encoded,
    Buffer.from('after'),
  ])
  view.keyStart = 6
  view.keyLength = key?.length ?? -1
  view.valueStart = 6 + (key?.length ?? 0)
  view.valueLength = value?.length ?? -1
  view.headersStart = 6 + (key?.length ?? 0) + (value?.length ?? 0)
  view.headersLength = encoded.length
  return view
}

export function appendAll(writer: ArchiveWriter, records: readonly ArchivedRecord[]): void {
  for (const each of records) writer.append(viewOf(each))
}

/** As records that were read ahead, of which is known that their values are JSON objects: so many at a time. */
export function appendTogether(writer: ArchiveWriter, records: readonly ArchivedRecord[], atOnce: number): void {
  if (records.length === 0) return
  const views = records.map(viewOf)
  const ahead = new ReadAhead(records.length)
  ahead.buffer = Buffer.concat(views.map(({ buffer }) => buffer))
  let start = 0
  for (const [i, view] of views.entries()) {
    ahead.offsets[i] = view.offset
    ahead.timestamps[i] = view.timestamp
    ahead.keyStarts[i] = start + view.keyStart
    ahead.keyLengths[i] = view.keyLength
    ahead.valueStarts[i] = start + view.valueStart
    ahead.valueLengths[i] = view.valueLength
    ahead.headersStarts[i] = start + view.headersStart
    ahead.headersLengths[i] = view.headersLength
    start += view.buffer.length
  }
  ahead.count = records.length
  for (let at = 0; at < ahead.count; at += atOnce) {
    const end = Math.min(at + atOnce, ahead.count)
    ahead.at = at
    writer.appendAll(ahead, end, { isJsonObject: true })
    if (ahead.at !== end - 1) throw new Error(`record ${ahead.at} is at hand, not ${end - 1}`)
  }
}

export function openAt(archive: Archive, nextOffset: number, clock: Clock): ArchiveWriter {
  return archive.open(task, nextOffset, clock)
}

const midnight = Date.UTC(2024, 7, 9)
export const forever = new AbortController().signal

/** An archive in which nothing waits for the machine. */
export function simulated(store: ObjectStore, options: Partial<RawArchiveOptions> = {}): Archive {
  return rawArchive({ store, compression: 'inline', random: () => 0.5, ...options })
}

export const small = (offset: number, timestamp = midnight) => record(offset, timestamp, 'BTCUSDT', `{"t":${offset}}`)
export const range = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => small(from + i))
