import assert from 'node:assert/strict'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { type WasmColumns, wasmColumns } from '../../../src/codecs/columns/wasmColumns.ts'
import { jsonCodec } from '../../../src/codecs/jsonCodec.ts'
import { isJsonObject } from '../../../src/codecs/jsonText.ts'
import { type ObjectPlan, planOf } from '../../../src/codecs/schemaPlan.ts'
import { fixed8Schema } from '../../../src/exact/fixed8Schema.ts'
import { Rejection } from '../../../src/runtime/log/codec.ts'
import type { TextColumn } from '../../../src/runtime/spans/lentColumn.ts'
import { objectOf } from '../randomSchema.ts'
import { framesOf } from './framesOf.ts'

const most = 512

function columnsOf(schema: z.ZodType): WasmColumns {
  const columns = wasmColumns(schema, most)
  if (columns === null) throw new Error('no decoder: npm run build makes it')
  return columns
}

/** What the columns say of a frame; undefined where they say nothing. */
function saidOf(schema: z.ZodType, columns: WasmColumns, frame: number): unknown {
  const plan = planOf(schema)
  const layout = columns.layouts[frame] as number
  if (layout === 0 || typeof plan === 'string') return undefined
  const objectOfPlan = (of: ObjectPlan): object =>
    Object.fromEntries(
      [...of.fields.values()].flatMap(({ name, value }) => {
        if (value === null) return []
        if (value.kind === 'object') return [[name, objectOfPlan(value)]]
        if (value.kind === 'literal') return [[name, JSON.parse(value.json)]]
        const { slot, kind } = value
        if (!columns.has(layout, slot)) return []
        if (columns.isNull(layout, slot)) return [[name, null]]
        if (kind === 'string') return [[name, textOf(columns.texts(slot), frame)]]
        const number = columns.numbers(slot)[frame]
        return [[name, kind === 'boolean' ? number === 1 : number]]
      }),
    )
  return objectOfPlan(plan.root)
}

/** The text, after it was held against its bytes where those are told. */
function textOf(texts: TextColumn, frame: number): string {
  const start = texts.asBytes?.startOf(frame) ?? -1
  if (texts.asBytes === null || start < 0) return texts.at(frame)
  const { memory, length } = texts.asBytes
  const json = Buffer.from(memory.buffer, start, length).toString('latin1')
  assert.match(json, /^(?:[ !#-[\]-\x7f]|\\["\\/bfnrt])*$/)
  assert.equal(JSON.parse(`"${json}"`), texts.at(frame))
  return texts.at(frame)
}

/** What is said of each text, all read in one call, after it was held against JSON.parse and zod. */
function read(schema: z.ZodType, texts: readonly (string | Buffer | null)[], columns = columnsOf(schema)): unknown[] {
  const { buffer, starts, lengths, count } = framesOf(texts)
  const before = Buffer.from(buffer)
  columns.read(buffer, starts, lengths, 0, count)
  expect(buffer.equals(before)).toBe(true)
  const codec = jsonCodec(schema)
  return texts.map((text, frame) => {
    const said = saidOf(schema, columns, frame)
    if (said === undefined) return undefined
    const bytes = Buffer.from(text as string)
    const meant = codec.interpret(bytes, 0, bytes.length)
    assert.deepEqual(said, meant, `${text}`)
    expect(isJsonObject(bytes, 0, bytes.length)).toBe(true)
    return said
  })
}

const hostileTokens = [
  ...['', '0', '-0', '00', '01', '-', '--1', '+1', '1.', '.5', '1.0', '1e3', '1E-400', '1e', '1e999', '5e-324', '0x5'],
  ...['12345678', '123456789', '1234567890123456', '12345678901234567', '9007199254740991', '9007199254740992'],
  ...['9007199254740993', '-9007199254740991', '-9007199254740992', '99999999999999999999', '123456789012345.5'],
  ...['0.1234567890123456', '0.30000000000000004', '1234567.12345678', '12345678.12345678', '1.123456789'],
  ...[
    '1.12345678000',
    '90071992.5',
    '90071991.99999999',
    '0.00000001',
    '1.100000000000000000',
    '1.1000000000000000000',
  ],
  ...[
    'true',
    'false',
    'null',
    'tru',
    'truee',
    'True',
    'NaN',
    '{}',
    '[]',
    '[1,[2,{"a":"b"}]]',
    '{"a":}',
    '[1,]',
    '[',
    '}',
  ],
  ...['"x"', '"', '""', '"1.5"', '"1.50000000"', '"01.5"', '"-1.5"', '"1,5"', '"1."', '".5"', '"61837.63000000"'],
  ...[
    '"90071992.00000000"',
    '"123456789012345678.00000001"',
    '"BTCUSDT"',
    '"BTCUSDTX"',
    '"a\\"b"',
    '"a\\\\"',
    '"a\\u0041"',
  ],
  ...[
    '"\u0001"',
    '"\0"',
    '"x\0"',
    '"xy\0\0"',
    '"BTCUSDT\0"',
    '"é"',
    '"币安人生USDT"',
    '"\u007f"',
    `"${'x'.repeat(63)}"`,
    `"${'x'.repeat(64)}"`,
    `"${'y'.repeat(300)}"`,
  ],
  ...[`"${'x'.repeat(60)}é"`, '"a', ' 1', '1 ', '"a" ', '\t2', `${'['.repeat(130)}${']'.repeat(130)}`],
]
const kinds: readonly z.ZodType[] = [
  ...[z.int(), z.int32(), z.uint32(), z.int().min(-5).max(12_345_678), z.number(), z.number().gt(0).lt(1)],
  ...[z.string(), z.string().min(2).max(40), z.enum(['BTCUSDT', 'x']), z.string().trim(), z.boolean(), fixed8Schema],
  ...[z.literal('x'), z.int().nullable(), z.string().optional(), fixed8Schema.nullish()],
]

describe('WasmColumns', () => {
  test('says of the frames of any schema what JSON.parse and zod say, or nothing', () => {
    let hits = 0
    let frames = 0
    const sample = objectOf(2, true).chain(({ schema, value }) =>
      fc.tuple(fc.constant(schema), fc.array(value, { minLength: 1, maxLength: 40 })),
    )
    fc.assert(
      fc.property(sample, ([schema, values]) => {
        const said = read(
          schema,
          values.map((value) => JSON.stringify(value)),
        )
        frames += values.length
        hits += said.filter((one) => one !== undefined).length
      }),
      { numRuns: 200 },
    )
    expect(hits / frames).toBeGreaterThan(0.4)
  })

  test.each(kinds.map((schema, index) => [index, schema] as const))(
    'takes no hostile token for something else (%#)',
    (_index, value) => {
      const schema = z.object({ a: value, n: z.int() })
      const columns = columnsOf(schema)
      const texts = hostileTokens.flatMap((token) => [
        `{"a":${token},"n":7}`,
        `{"n":7,"a":${token}}`,
        `{"n":7,"x":${token},"a":1}`,
        `{"n":7,"x":${token},"a":"x"}`,
      ])
      const known = ['1', '0.5', '"x"', '"xy"', '"BTCUSDT"', 'true', '"1.5"', 'null'].flatMap((token) => [
        `{"a":${token},"n":7}`,
        `{"n":7,"x":1,"a":${token}}`,
      ])
      const inner = hostileTokens.map((token) => `{"a":"x","x":{"y":[${token},1]},"n":7}`)
      const taught = known.map((text) => read(schema, [text], columns)[0]).filter((said) => said !== undefined)
      expect(taught.length).toBeGreaterThan(1)
      read(schema, texts.slice(0, most), columns)
      read(schema, inner, columns)
      read(schema, [...texts].reverse().slice(0, most), columns)
    },
  )

  test('takes no frame that is cut off, or goes on, wherever that is', () => {
    const schema = z.object({ s: z.string(), t: z.int(), p: fixed8Schema, m: z.boolean(), x: z.number() })
    const whole =
      '{"s":"BTCUSDT","t":3735683259,"skipped":{"a":[true,"b",1.5e3]},"p":"61837.63000000","m":true,"x":-0.25}'
    const columns = columnsOf(schema)
    expect(read(schema, [whole], columns)).toEqual([
      { s: 'BTCUSDT', t: 3735683259, p: 6183763000000, m: true, x: -0.25 },
    ])
    const cut = Array.from({ length: whole.length }, (_, length) => whole.slice(0, length))
    const changed = Array.from({ length: whole.length }, (_, at) => `${whole.slice(0, at)}#${whole.slice(at + 1)}`)
    const longer = ['}', ' ', '\n', ',', '{}', whole, '\ufeff'].flatMap((more) => [whole + more, more + whole])
    const twice = ['{"s":"a","s":"b","t":1,"p":"1","m":true,"x":1}', '{"s":"a","t":1,"p":"1","m":true,"x":1,"x":2}']
    for (const texts of [cut, changed, longer, twice]) {
      for (const said of read(schema, texts, columns)) {
        // In the text of a field anything may stand.
        if (said !== undefined) expect(texts).toBe(changed)
      }
    }
  })

  test('takes numbers to the last bit, ints and counts to the last that is safe', () => {
    const number = z.object({ a: z.number() })
    const decimal = fc.tuple(fc.stringMatching(/^-?(0|[1-9][0-9]{0,18})$/), fc.stringMatching(/^([.][0-9]{1,18})?$/))
    const text = fc.oneof(
      decimal.map(([integer, fraction]) => integer + fraction),
      fc.double({ noNaN: true, noDefaultInfinity: true }).map(String),
    )
    const columns = columnsOf(number)
    fc.assert(
      fc.property(fc.array(text, { minLength: 1, maxLength: 60 }), (written) => {
        const said = read(
          number,
          written.map((one) => `{"a":${one}}`),
          columns,
        )
        expect(said).toEqual(written.map((one) => ({ a: JSON.parse(one) })))
      }),
    )
    const digits = Array.from({ length: 16 }, (_, length) => '8765432187654321'.slice(0, length + 1))
    const ints = [...digits, ...digits.map((one) => `-${one}`), '0', '-0', String(Number.MAX_SAFE_INTEGER)]
    expect(
      read(
        z.object({ a: z.int() }),
        ints.map((one) => `{"a":${one}}`),
      ),
    ).toEqual(ints.map((one) => ({ a: Number(one) })))
    const counts = digits.slice(0, 7).flatMap((whole) => digits.slice(0, 8).map((part) => `${whole}.${part}`))
    const schema = z.object({ a: fixed8Schema })
    const taken = [...counts, '0', '5', '0.1', '90071991.9999999']
    expect(
      read(
        schema,
        taken.map((one) => `{"a":"${one}"}`),
      ).includes(undefined),
    ).toBe(false)
    for (const left of ['90071992', '90071992.00000000', '123456789.5']) {
      expect(read(schema, [`{"a":"${left}"}`])).toEqual([undefined])
    }
  })

  test('takes the ints of a range, and no other', () => {
    const largest = Number.MAX_SAFE_INTEGER
    const ints = [...Array(61).keys(), 999_999_999_999_999, 2 ** 53 - 2, largest, 2 ** 53].flatMap((n) => [
      `${n}`,
      `-${n}`,
    ])
    const ranges: readonly (readonly [number, number])[] = [
      ...([
        [-5, 5],
        [3, 3],
        [7, 60],
        [-60, -7],
        [0, 0],
        [1.5, 3.5],
        [-3.5, -1.5],
        [1.2, 1.8],
        [-1.8, -1.2],
      ] as const),
      ...([
        [9, 2],
        [-largest, largest],
        [largest, largest],
        [-largest, -largest],
        [-1, largest],
      ] as const),
    ]
    for (const [min, max] of ranges) {
      const schema = z.object({ a: z.int().min(min).max(max) })
      const taken = ints.filter((text) => schema.safeParse({ a: Number(text) }).success)
      const columns = columnsOf(schema)
      // The order of the fields is learnt from a frame that can be read.
      if (taken[0] !== undefined) read(schema, [`{"a":${taken[0]}}`], columns)
      const said = read(
        schema,
        ints.map((text) => `{"a":${text}}`),
        columns,
      ).filter((one) => one !== undefined)
      // What is not taken is left to zod, so one too few would not show elsewhere.
      expect([min, max, said]).toEqual([min, max, taken.map((text) => ({ a: Number(text) }))])
    }
  })

  test('gives texts of any length numbers: the same to the same ones, and others to others', () => {
    const columns = columnsOf(z.object({ a: z.string() }))
    const texts = Array.from({ length: 64 }, (_, n) => 'x'.repeat(n)).flatMap((text) => [text, `${text}y`, `y${text}`])
    const known = new Map<number, string>()
    for (const all of [texts, texts.toReversed(), texts]) {
      for (let from = 0; from < all.length; from += 50) {
        const some = all.slice(from, from + 50)
        const { buffer, starts, lengths, count } = framesOf(some.map((text) => `{"a":"${text}"}`))
        columns.read(buffer, starts, lengths, 0, count)
        const column = columns.texts(columns.slot('a'))
        expect(some.map((_, row) => column.at(row))).toEqual(some)
        for (const [row, text] of some.entries()) {
          const ordinal = column.ordinals[row] as number
          if (text.length < 64) expect(ordinal).toBeGreaterThanOrEqual(0)
          if (ordinal >= 0) expect(known.get(ordinal) ?? text).toBe(text)
          if (ordinal >= 0) known.set(ordinal, text)
        }
      }
    }
    expect(known.size).toBe(new Set(known.values()).size)
  })

  test('bytes that are no UTF-8 are no text, not even those that stand for a long one in a dictionary, and are taken for none', () => {
    const schema = z.object({ a: z.string() })
    const columns = columnsOf(schema)
    const of = (byte: number, length: number) =>
      Buffer.concat([Buffer.from('{"a":"'), Buffer.alloc(length, byte), Buffer.from('"}')])
    const frames = [of(0x78, 20), of(0xff, 15), of(0xff, 8), of(0xff, 16), of(0x78, 15), of(0x78, 16), of(0x78, 0)]
    for (let round = 0; round < 2; round += 1) {
      const isLeft = read(schema, frames, columns).map((said) => said === undefined)
      expect(isLeft).toEqual([false, true, true, true, false, false, false])
    }
  })

  test('rows of others keep their texts when the dictionary starts over', () => {
    const columns = wasmColumns(z.object({ id: z.string().max(50) }), 2 * most) as WasmColumns
    const readInto = (firstRow: number, ids: readonly string[]) => {
      const { buffer, starts, lengths, count } = framesOf(ids.map((id) => `{"id":"${id}"}`))
      columns.read(buffer, starts, lengths, 0, count, firstRow)
    }
    const column = columns.texts(columns.slot('id'))
    readInto(most, ['first', 'second'])
    const before = column.ordinals[most] as number
    for (let round = 0; round < 600; round++) {
      readInto(
        0,
        Array.from({ length: most }, (_, n) => String(round < 40 ? round * most + n : -n)),
      )
    }
    // It has started over: the number is that of another text by now.
    expect(before).toBe(0)
    expect(column.ordinals[most]).toBeLessThan(0)
    expect([column.at(most), column.at(most + 1)]).toEqual(['first', 'second'])
  })

  test('reads frames wherever they lie: the last of a buffer, none, and more than the memory holds at a time', () => {
    const schema = z.object({ id: z.int(), text: z.string() })
    const columns = columnsOf(schema)
    const textOf = (id: number) => `{"id":${id},"text":"${'abc'.repeat(id % 900)}"}`
    const ids = Array.from({ length: most }, (_, id) => id)
    const large = `{"id":7,"text":"","more":"${'z'.repeat(300_000)}"}`
    const texts = ids.map((id) => (id === 300 ? large : id % 50 === 49 ? null : textOf(id)))
    const said = read(schema, texts, columns)
    for (const id of ids) {
      if (id === 300 || id % 50 === 49) expect(said[id]).toBeUndefined()
      else expect(said[id]).toEqual({ id, text: 'abc'.repeat(id % 900) })
    }
    // In an order of their own, and only some of them.
    const { buffer, starts, lengths } = framesOf(ids.map(textOf), 0)
    columns.read(buffer, starts.reverse(), lengths.reverse(), 100, 200)
    for (let frame = 100; frame < 200; frame++) {
      expect(saidOf(schema, columns, frame)).toMatchObject({ id: most - 1 - frame })
    }
    const last = framesOf(['{"id":1,"text":"end"}'], 0)
    columns.read(last.buffer, last.starts, last.lengths, 0, 1)
    expect(saidOf(schema, columns, 0)).toEqual({ id: 1, text: 'end' })
  })

  test('knows texts again, makes others anew, and goes on when there are more than it may know', () => {
    const schema = z.object({ id: z.string(), kind: z.enum(['a', 'b']), name: z.string().regex(/^[a-z0-9é]+$/) })
    const columns = columnsOf(schema)
    const textOf = (n: number) => `{"id":"id-${n}","kind":"${n % 2 === 0 ? 'a' : 'b'}","name":"n${n % 300}é"}`
    const rounds = 90
    for (let round = 0; round < rounds; round++) {
      const numbers = Array.from({ length: most }, (_, n) => round * most + n)
      const { buffer, starts, lengths, count } = framesOf(numbers.map(textOf))
      columns.read(buffer, starts, lengths, 0, count)
      for (const at of [0, 1, most - 1]) {
        const n = numbers[at] as number
        expect(saidOf(schema, columns, at)).toEqual({
          id: `id-${n}`,
          kind: n % 2 === 0 ? 'a' : 'b',
          name: `n${n % 300}é`,
        })
      }
    }
    expect(read(schema, ['{"id":"x","kind":"c","name":"n1"}', '{"id":"x","kind":"a","name":"N"}'], columns)).toEqual([
      undefined,
      undefined,
    ])
    expect(read(schema, [textOf(5)], columns)).toEqual([{ id: 'id-5', kind: 'b', name: 'n5é' }])
  })

  test('a dictionary that is full starts over after a while, and every text stays right', () => {
    const schema = z.object({ id: z.string().max(50) })
    const columns = columnsOf(schema)
    let isRead = 0
    for (let round = 0; round < 700; round++) {
      // New ones at first, so that the dictionary is full of what does not come again.
      const numbers = Array.from({ length: most }, (_, n) => (round < 40 ? round * most + n : -n - 1))
      const { buffer, starts, lengths, count } = framesOf(numbers.map((n) => `{"id":"${n}"}`))
      columns.read(buffer, starts, lengths, 0, count)
      const slot = columns.slot('id')
      for (let frame = 0; frame < count; frame++) {
        if (columns.layouts[frame] !== 0) expect(columns.texts(slot).at(frame)).toBe(String(numbers[frame]))
      }
      isRead = columns.layouts.subarray(0, count).filter((layout) => layout !== 0).length
    }
    expect(isRead).toBe(most)
  })

  test('a frame without a text, or with null in its place, is read after one with a text that was long', () => {
    const schema = z.object({
      n: z.int(),
      a: z.string().optional(),
      b: z.string().nullable(),
      x: z.number().min(5).nullish(),
    })
    const columns = columnsOf(schema)
    const long = 'y'.repeat(5_000)
    const odd = '12345678901234567890'
    expect(read(schema, [`{"n":1,"a":"${long}","b":"${long}","x":${odd}}`], columns)).toEqual([
      { n: 1, a: long, b: long, x: Number(odd) },
    ])
    expect(read(schema, ['{"n":2,"b":null,"x":null}', `{"n":3,"b":"","x":${odd}}`], columns)).toEqual([
      { n: 2, b: null, x: null },
      { n: 3, b: '', x: Number(odd) },
    ])
  })

  test('learns eight orders of the fields, and forgets one for a ninth only before a frame of the call was read', () => {
    const names = ['a', 'b', 'c', 'd']
    const schema = z.object({ a: z.int(), b: z.int(), c: z.int(), d: z.int() })
    const columns = columnsOf(schema)
    const orders = names.flatMap((first) => names.filter((second) => second !== first).map((second) => [first, second]))
    const textOf = ([first, second]: readonly string[]) => {
      const rest = names.filter((name) => name !== first && name !== second)
      return `{${[first, second, ...rest].map((name, value) => `"${name}":${value}`).join(',')}}`
    }
    for (const order of orders) expect(read(schema, [textOf(order)], columns)[0]).toBeDefined()
    const mixed = [...orders.slice(-8), ...orders.slice(0, 4)]
    const said = read(schema, mixed.map(textOf), columns)
    expect(said.slice(0, 8).includes(undefined)).toBe(false)
    expect(said.slice(8)).toEqual([undefined, undefined, undefined, undefined])
  })

  test('reads texts with escapes that stand for one byte, of any length, and passes over any escape in what nobody asks for', () => {
    const schema = z.object({ a: z.string(), n: z.int() })
    const texts = [
      '\\',
      '"',
      '/\b\f\n\r\t',
      'ab\\cd',
      '\\'.repeat(40),
      `"${'x'.repeat(300)}\\`,
      `${'y'.repeat(15)}\\`,
      '\\"\\"'.repeat(20),
    ]
    const frames = texts.map((a, n) => JSON.stringify({ a, x: { y: [a, 'é'.repeat(0)], [a]: a }, n }))
    const columns = columnsOf(schema)
    for (let round = 0; round < 3; round++)
      expect(read(schema, frames, columns)).toEqual(texts.map((a, n) => ({ a, n })))
    const known = String.raw`{"a":"x","x":"\u00e9\/\uD83D\uDE00","n":1}`
    expect(read(schema, [known], columns)).toEqual([{ a: 'x', n: 1 }])
    const wrong = ['\\u12g4', '\\x', '\\', '\\u123', '\n'].map((one) => `{"a":"x","x":"${one}","n":1}`)
    expect(read(schema, wrong, columns)).toEqual(wrong.map(() => undefined))
    const others = ['\\u0041', '\\x', 'é\\n', '\\'].map((one) => `{"a":"${one}","x":1,"n":1}`)
    expect(read(schema, others, columns)).toEqual(others.map(() => undefined))
  })

  test('has no room for more escapes than a call may bring, and leaves such texts to others', () => {
    const schema = z.object({ a: z.string() })
    const long = JSON.stringify({ a: '\\'.repeat(120_000) })
    const columns = columnsOf(schema)
    read(schema, ['{"a":"x"}'], columns)
    for (let round = 0; round < 3; round++) {
      const said = read(schema, [long, '{"a":"\\\\"}'], columns)
      expect(said[1]).toEqual({ a: '\\' })
    }
  })

  test('keeps what was read into other rows, save frames of a layout that is forgotten', () => {
    const schema = z.object({ a: z.int(), b: z.string() })
    const columns = wasmColumns(schema, 2 * most) as WasmColumns
    const readInto = (firstRow: number, texts: readonly string[]) => {
      const { buffer, starts, lengths, count } = framesOf(texts)
      columns.read(buffer, starts, lengths, 0, count, firstRow)
    }
    readInto(most, ['{"a":7,"b":"x\\\\"}', `{"b":"${'y'.repeat(80)}","a":8}`])
    readInto(0, ['{"a":1,"b":"z"}', '{"a":2,"b":"x\\\\"}'])
    expect([0, 1, most, most + 1].map((row) => saidOf(schema, columns, row))).toEqual([
      { a: 1, b: 'z' },
      { a: 2, b: 'x\\' },
      { a: 7, b: 'x\\' },
      { a: 8, b: 'y'.repeat(80) },
    ])
    for (let n = 0; n < 6; n++) readInto(0, [`{"x${n}":0,"a":3,"b":"z"}`])
    // Eight layouts are known; the ninth takes the place of the first, which row `most` was read by.
    readInto(0, ['{"y":0,"a":4,"b":"z"}'])
    expect([0, most, most + 1].map((row) => saidOf(schema, columns, row))).toEqual([
      { a: 4, b: 'z' },
      undefined,
      { a: 8, b: 'y'.repeat(80) },
    ])
  })

  test('learns from a frame behind some that nobody can read', () => {
    const texts = ['{', '{"a":"x"}', '[]', '{"a":7}', '{"a":8}']
    expect(read(z.object({ a: z.int() }), texts)).toEqual([undefined, undefined, undefined, { a: 7 }, { a: 8 }])
  })

  test('learns nothing of frames that it cannot read', () => {
    const schema = z.object({ a: fixed8Schema })
    const columns = columnsOf(schema)
    expect(read(schema, ['{"a":"1.5"}'], columns)).toEqual([{ a: 150_000_000 }])
    for (let n = 0; n < 40; n++) read(schema, [`{"x${n}":1,"a":"12345678901"}`], columns)
    expect(read(schema, ['{"a":"1.5"}', '{"a":"12345678901"}'], columns)).toEqual([{ a: 150_000_000 }, undefined])
  })

  test('leaves schemas that no byte reader can follow, and those with too many texts, to others', () => {
    expect(wasmColumns(z.array(z.int()), most)).toBeNull()
    const many = Object.fromEntries(Array.from({ length: 80 }, (_, n) => [`f${n}`, z.string()]))
    expect(wasmColumns(z.object(many), most)).toBeNull()
    expect(columnsOf(z.object({ a: z.int() })).slot('a')).toBe(0)
    expect(() => columnsOf(z.object({ a: z.int() })).slot('b')).toThrow(RangeError)
  })

  test('interpreted frames stay what they are where none of the columns speak', () => {
    const codec = jsonCodec(z.object({ a: z.int() }))
    expect(codec.interpret(Buffer.from('{"a":1.0}'), 0, 9)).toEqual({ a: 1 })
    expect(codec.interpret(Buffer.from('{'), 0, 1)).toBeInstanceOf(Rejection)
    expect(read(z.object({ a: z.int() }), ['{"a":1.0}', '{'])).toEqual([undefined, undefined])
  })
})
