import assert from 'node:assert/strict'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { isJsonObject, maxJsonDepth } from '../../src/codecs/jsonText.ts'

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

function depthOf(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0
  return 1 + Object.values(value).reduce<number>((deepest, item) => Math.max(deepest, depthOf(item)), 0)
}

/** What the platform's own decoder and parser say. */
function oracle(bytes: Uint8Array): boolean {
  if (bytes.includes(0x0a) || bytes.includes(0x0d)) return false
  try {
    const value: unknown = JSON.parse(decoder.decode(bytes))
    return typeof value === 'object' && value !== null && !Array.isArray(value) && depthOf(value) <= maxJsonDepth
  } catch {
    return false
  }
}

/** Checks in the middle of a larger buffer, whose other bytes must not matter. */
function check(bytes: Uint8Array): boolean {
  const framed = Buffer.concat([Buffer.from('{"a":'), bytes, Buffer.from('1}]"e5')])
  const verdict = isJsonObject(framed, 5, 5 + bytes.length)
  expect(isJsonObject(bytes, 0, bytes.length)).toBe(verdict)
  return verdict
}

const object = fc.dictionary(fc.string({ unit: 'binary' }), fc.jsonValue())
const mutation = fc.record({
  at: fc.nat(),
  byte: fc.integer({ min: 0, max: 255 }),
  kind: fc.constantFrom('set', 'insert', 'delete', 'cut'),
})

function mutate(bytes: Buffer, { at, byte, kind }: { at: number; byte: number; kind: string }): Buffer {
  const place = at % (bytes.length + 1)
  if (kind === 'cut') return bytes.subarray(0, place)
  const rest = bytes.subarray(kind === 'insert' ? place : place + 1)
  return Buffer.concat([bytes.subarray(0, place), kind === 'delete' ? Buffer.alloc(0) : Buffer.from([byte]), rest])
}

describe('isJsonObject agrees with TextDecoder and JSON.parse', () => {
  test('on every object that JSON.stringify writes', () => {
    fc.assert(
      fc.property(object, fc.constantFrom(undefined, '\t'), (value, indent) => {
        const text = JSON.stringify(value, undefined, indent).replaceAll('\n', ' ')
        expect(check(Buffer.from(text))).toBe(true)
      }),
    )
  })

  test('on objects with bytes set, inserted, deleted or cut off', () => {
    fc.assert(
      fc.property(object, fc.array(mutation, { minLength: 1, maxLength: 3 }), (value, mutations) => {
        const bytes = mutations.reduce(mutate, Buffer.from(JSON.stringify(value)))
        assert.equal(check(bytes), oracle(bytes))
      }),
      { numRuns: 5_000 },
    )
  })

  test('on text made of the pieces of JSON', () => {
    const pieces = [
      '{',
      '}',
      '[',
      ']',
      ',',
      ':',
      '"a"',
      '""',
      ' ',
      '\t',
      '\n',
      '1',
      '-0',
      '01',
      '1.',
      '1.5',
      '2e',
      '2E+3',
      '-',
      'true',
      'nul',
      'null',
    ]
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...pieces, 'false'), { maxLength: 12 }), (parts) => {
        const bytes = Buffer.from(`{"k":${parts.join('')}}`)
        assert.equal(check(bytes), oracle(bytes))
      }),
      { numRuns: 5_000 },
    )
  })

  test('on arbitrary bytes inside a string', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 6 }),
        fc.uint8Array({ min: 0xc0, max: 0xff, maxLength: 2 }),
        (tail, lead) => {
          const bytes = Buffer.concat([Buffer.from('{"k":"'), lead, tail, Buffer.from('"}')])
          assert.equal(check(bytes), oracle(bytes))
        },
      ),
      { numRuns: 20_000 },
    )
  })

  test.each([
    '{}',
    ' {} ',
    '\t{ "a" : [ ] , "b" : { } }\t',
    '{"a":1}{',
    '[]',
    'null',
    '"a"',
    '1',
    '',
    ' ',
    '{',
    '}',
    '{"a"}',
    '{"a":}',
    '{"a":1,}',
    '{,}',
    '{"a":[1,]}',
    '{"a":[,1]}',
    '{"a":[}',
    '{"a":{]}',
    '{a:1}',
    "{'a':1}",
    '{"a":1 "b":2}',
    '{"a":1}\n',
    '{\n}',
    '{\r}',
    '\ufeff{}',
    '{"\\u12g4":1}',
    '{"\\u1234":"\\ud800"}',
    '{"\\x":1}',
    '{"a":"\u0000"}',
    '{"a":"\u001f"}',
    '{"a":"\u007f"}',
    '{"a":NaN}',
    '{"a":Infinity}',
    '{"a":+1}',
    '{"a":.1}',
    '{"a":0x1}',
    '{"a":1e999}',
    '{"a":-0}',
    '{"a":-}',
    '{"a":1,"a":2}',
    '{"__proto__":1}',
    '{"a":tru}',
    '{"a":truee}',
    '{"a":"\u2028"}',
    '{}\u00a0',
    '{"a":"\\',
    '{"a":"\\"',
    '{"a":"\\u12',
    '{"a":1 // x\n}',
    '{}\u0000',
  ])('on %j', (text) => {
    const bytes = Buffer.from(text)
    assert.equal(check(bytes), oracle(bytes))
  })

  test('at the bound of depth, in objects and in arrays', () => {
    for (const levels of [1, maxJsonDepth - 1, maxJsonDepth, maxJsonDepth + 1, 300]) {
      const objects = Buffer.from(`${'{"a":'.repeat(levels - 1)}{}${'}'.repeat(levels - 1)}`)
      const arrays = Buffer.from(`{"a":${'['.repeat(levels - 1)}${']'.repeat(levels - 1)}${levels === 1 ? '1' : ''}}`)
      expect(check(objects)).toBe(levels <= maxJsonDepth)
      expect(check(arrays)).toBe(levels <= maxJsonDepth)
      expect(check(objects)).toBe(oracle(objects))
    }
  })

  test('on a megabyte of brackets, of blanks and of text', () => {
    expect(check(Buffer.from('['.repeat(1_000_000)))).toBe(false)
    expect(check(Buffer.from('{"a":'.repeat(200_000)))).toBe(false)
    expect(check(Buffer.from(`{"a":${'['.repeat(1_000_000)}`))).toBe(false)
    expect(check(Buffer.from(`{${' '.repeat(1_000_000)}}`))).toBe(true)
    expect(check(Buffer.from(`{"a":"${'é'.repeat(500_000)}"}`))).toBe(true)
    expect(check(Buffer.alloc(1_000_000, 0xff))).toBe(false)
  })
})
