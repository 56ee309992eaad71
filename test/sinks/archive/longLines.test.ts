import { randomBytes } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { rawArchive } from '../../../src/sinks/archive/rawArchive.ts'
import { type ArchivedRecord, readArchiveObject } from '../../../src/sinks/archive/readArchiveObject.ts'
import { MemoryObjectStore } from '../../../src/testing/memoryObjectStore.ts'
import { VirtualClock } from '../../../src/testing/virtualClock.ts'
import { appendAll, forever, openAt, record, viewOf } from './records.ts'

const mebibyte = 1024 * 1024

function values(): readonly (Buffer | string)[] {
  const lengths = [
    mebibyte,
    mebibyte + 1,
    mebibyte + 2,
    mebibyte + 3,
    3 * 196_608 * 2,
    3 * 196_608 * 2 + 1,
    7 * mebibyte + 5,
  ]
  return lengths.flatMap((length) => [
    randomBytes(length),
    JSON.stringify({ pad: 'ö'.repeat(length / 2) }),
    '{"small":1}',
  ])
}

async function objectsOf(records: readonly ReturnType<typeof record>[], compression: 'inline' | 'background') {
  const store = new MemoryObjectStore()
  const archive = rawArchive({ store, compression, maxPendingBytes: 256 * mebibyte, maxBytes: 256 * mebibyte })
  const writer = openAt(archive, 0, new VirtualClock())
  appendAll(writer, records)
  await writer.finish(forever)
  return [...store.objects.values()]
}

describe('the line of a long value', () => {
  const records = values().map((value, i) => record(i, 1_700_000_000_000 + i, `k${i}`, value))

  test.each(['inline', 'background'] as const)('is read back byte for byte, packed %s', async (compression) => {
    const [body, ...others] = await objectsOf(records, compression)
    expect(others).toEqual([])
    const read: readonly ArchivedRecord[] = [...readArchiveObject(body!)]
    expect(read.map(({ offset, key }) => [offset, key?.toString()])).toEqual(records.map((_, i) => [i, `k${i}`]))
    for (const [i, { value }] of records.entries()) expect(read[i]?.value?.equals(value!), `record ${i}`).toBe(true)
  })

  test('makes the same bytes each time', async () => {
    const [first] = await objectsOf(records, 'background')
    const [second] = await objectsOf(records, 'background')
    expect(first!.equals(second!)).toBe(true)
  })

  test('is never there as a whole', async () => {
    const store = new MemoryObjectStore()
    const writer = openAt(rawArchive({ store }), 0, new VirtualClock())
    const long = viewOf(record(0, 1, null, Buffer.alloc(48 * mebibyte, 'rubbish ')))
    const before = process.memoryUsage().arrayBuffers
    writer.append(long)
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(8 * mebibyte)
    await writer.finish(forever)
    expect(store.objects.size).toBe(1)
  })
})
