import { setTimeout } from 'node:timers/promises'
import { zstdDecompressSync } from 'node:zlib'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { systemClock } from '../../../src/runtime/clock.ts'
import { CorruptRecordError } from '../../../src/runtime/errors.ts'
import { BodyBuffers } from '../../../src/sinks/archive/bodyBuffers.ts'
import { rawArchive } from '../../../src/sinks/archive/rawArchive.ts'
import { type ArchivedRecord, readArchiveObject } from '../../../src/sinks/archive/readArchiveObject.ts'
import { ZstdPieces } from '../../../src/sinks/archive/zstdPieces.ts'
import { MemoryObjectStore } from '../../../src/testing/memoryObjectStore.ts'
import { appendAll, openAt, record } from './records.ts'

async function archived(
  records: readonly ArchivedRecord[],
  compression: 'inline' | 'background' = 'inline',
): Promise<Buffer> {
  const store = new MemoryObjectStore()
  const writer = openAt(rawArchive({ store, compression }), records[0]?.offset ?? 0, systemClock)
  appendAll(writer, records)
  await writer.finish(new AbortController().signal)
  const { objects } = writer.take()
  expect(objects).toHaveLength(1)
  return store.objects.get(objects[0]!.key)!
}

async function linesOf(records: readonly ArchivedRecord[]): Promise<string[]> {
  return zstdDecompressSync(await archived(records))
    .toString('utf8')
    .split('\n')
    .slice(0, -1)
}

const trade = '{"e":"trade","s":"BTCUSDT","p":"61837.63000000", "q":"0.02"}'

describe('a line of an archive object', () => {
  test('has a value that is a JSON object verbatim, blanks and all', async () => {
    expect(await linesOf([record(7, 1_723_161_255_342, 'BTCUSDT', trade)])).toEqual([
      `{"offset":7,"timestamp":1723161255342,"key":"BTCUSDT","value":${trade}}`,
    ])
  })

  test('has any other value in base64, and a null one as null', async () => {
    expect(
      await linesOf([
        record(0, -1, null, 'not json'),
        record(1, -1, null, 'null'),
        record(2, -1, null, ''),
        record(3, -1, '', null),
        record(4, -1, Buffer.from([0xff, 0x22]), '{"a":1}\n'),
      ]),
    ).toEqual([
      '{"offset":0,"timestamp":-1,"key":null,"base64":"bm90IGpzb24="}',
      '{"offset":1,"timestamp":-1,"key":null,"base64":"bnVsbA=="}',
      '{"offset":2,"timestamp":-1,"key":null,"base64":""}',
      '{"offset":3,"timestamp":-1,"key":"","value":null}',
      '{"offset":4,"timestamp":-1,"key_base64":"/yI=","base64":"eyJhIjoxfQo="}',
    ])
  })
})

const anyBytes = fc.uint8Array({ maxLength: 60 }).map((bytes) => Buffer.from(bytes))
const anyText = fc.string({ unit: 'binary', maxLength: 30 }).map((text) => Buffer.from(text.toWellFormed()))
const anyJson = fc.dictionary(fc.string(), fc.jsonValue()).map((value) => Buffer.from(JSON.stringify(value)))
const anyRecords = fc
  .array(
    fc.record({
      gap: fc.nat(3),
      timestamp: fc.oneof(
        fc.constant(-1),
        fc.constant(Number.MIN_SAFE_INTEGER),
        fc.integer({ min: 0, max: 3_000_000 }),
      ),
      key: fc.option(fc.oneof(anyBytes, anyText)),
      headers: fc.array(
        fc.record({ key: fc.string().map((name) => name.toWellFormed()), value: fc.option(anyBytes) }),
        {
          maxLength: 3,
        },
      ),
      value: fc.option(
        fc.oneof(
          anyBytes,
          anyText,
          anyJson,
          anyJson.map((json) => Buffer.concat([json, Buffer.from(' \t\r\n')])),
        ),
      ),
    }),
    { minLength: 1, maxLength: 20 },
  )
  .map((parts) => {
    let offset = 0
    return parts.map(({ gap, headers, ...rest }): ArchivedRecord => {
      offset += 1 + gap
      return { offset, ...rest, ...(headers.length === 0 ? {} : { headers }) }
    })
  })

describe('reading an archive object', () => {
  test('gives back every record exactly, whatever its bytes are', async () => {
    await fc.assert(
      fc.asyncProperty(anyRecords, async (records) => {
        const read = [...readArchiveObject(await archived(records))]
        expect(read).toEqual(records)
      }),
      { numRuns: 300 },
    )
  })

  test('every line is JSON that any reader can parse', async () => {
    await fc.assert(
      fc.asyncProperty(anyRecords, async (records) => {
        const parsed = (await linesOf(records)).map((line) => JSON.parse(line) as { offset: number })
        expect(parsed.map((each) => each.offset)).toEqual(records.map((each) => each.offset))
      }),
      { numRuns: 100 },
    )
  })

  test('a megabyte of noise, of JSON and of key survives', async () => {
    const noise = Buffer.from(Array.from({ length: 1_000_000 }, (_, i) => (i * i) & 0xff))
    const records = [
      record(0, 0, 'a', noise),
      record(1, 0, 'a', `{"a":"${'x'.repeat(1_000_000)}"}`),
      record(2, 0, '"\\'.repeat(300_000), '{}'),
    ]
    const read = [...readArchiveObject(await archived(records))]
    expect(read.map((each) => each.offset)).toEqual([0, 1, 2])
    expect(read.every((each, i) => each.value!.equals(records[i]!.value!) && each.key!.equals(records[i]!.key!))).toBe(
      true,
    )
  })

  test('the bytes do not depend on how much time the thread pool gets, and read the same as what was compressed within the call', async () => {
    const records = Array.from({ length: 20_000 }, (_, i) =>
      record(
        i,
        1_000_000 + i,
        `S${i % 7}`,
        i % 5 === 0 ? Buffer.alloc(100, i) : `{"t":${i * 7919},"p":"${(i * 104_729) % 1_000_003}.00"}`,
      ),
    )
    const background = await archived(records, 'background')
    expect([...readArchiveObject(background)]).toEqual(records)
    expect([...readArchiveObject(await archived(records, 'inline'))]).toEqual(records)
    const store = new MemoryObjectStore()
    const writer = openAt(rawArchive({ store }), 0, systemClock)
    for (let at = 0; at < records.length; at += 700) {
      appendAll(writer, records.slice(at, at + 700))
      await setTimeout(1)
    }
    await writer.finish(new AbortController().signal)
    expect([...store.objects.values()].map((body) => body.equals(background))).toEqual([true])
  })

  test('bytes that the archive did not write are refused with the line', async () => {
    expect(() => [...readArchiveObject(Buffer.from('plain'))]).toThrow(CorruptRecordError)
    const line = '{"offset":0,"timestamp":0,"key":"a","value":{}}\n'
    expect([...readArchiveObject(await packed(line))]).toHaveLength(1)
    const second = await packed(`${line}{"offset":1}\n`)
    expect(() => [...readArchiveObject(second)]).toThrow('line 2 is not a record')
    const torn = await packed(line.slice(0, -1))
    expect(() => [...readArchiveObject(torn)]).toThrow('line 1 has no end')
  })

  test('an object that lost its end anywhere is refused, also between two frames', async () => {
    const line = '{"offset":0,"timestamp":0,"key":"a","value":{}}\n'
    const whole = await packed(line, line)
    expect([...readArchiveObject(whole)]).toHaveLength(2)
    const frame = (await packed(line)).length - endMarkBytes
    expect(zstdDecompressSync(whole.subarray(0, frame)).toString()).toBe(line)
    for (let length = 0; length < whole.length; length++) {
      expect(() => [...readArchiveObject(whole.subarray(0, length))]).toThrow(CorruptRecordError)
    }
    expect(() => [...readArchiveObject(Buffer.concat([whole, Buffer.from('more')]))]).toThrow(CorruptRecordError)
  })
})

const endMarkBytes = 16

async function packed(...pieces: readonly string[]): Promise<Buffer> {
  const file = new ZstdPieces(
    'inline',
    new BodyBuffers(),
    () => {},
    () => {},
    () => {},
  )
  for (const piece of pieces) file.add(Buffer.from(piece))
  return (await file.finish()).body
}
