import fc from 'fast-check'
import { expect, test } from 'vitest'
import { StringPool } from '../../src/codecs/stringPool.ts'

function read(pool: StringPool, content: string | Buffer, after = '"'): string | null {
  const buffer = Buffer.concat([Buffer.from('x"'), Buffer.from(content as string), Buffer.from(`${after}""""""""`)])
  const view = new DataView(buffer.buffer, buffer.byteOffset, buffer.length)
  const end = buffer.length - 8
  const stop = pool.read(buffer, view, 2, end)
  if (stop < 0) return null
  expect(stop).toBe(end - 1)
  return pool.text
}

test('a string comes back as JSON.parse has it, the first time and every other', () => {
  const pool = new StringPool((text) => text)
  fc.assert(
    fc.property(fc.array(fc.string({ unit: 'binary', maxLength: 90 }), { minLength: 1 }), (texts) => {
      for (const text of [...texts, ...texts]) {
        expect(read(pool, JSON.stringify(text).slice(1, -1))).toBe(text)
      }
    }),
  )
})

test('what is not accepted, is no string or does not end is refused every time', () => {
  const pool = new StringPool((text) => (text === 'no' ? null : text))
  for (let time = 0; time < 3; time += 1) {
    expect(read(pool, 'no')).toBeNull()
    expect(read(pool, 'a\\xb')).toBeNull()
    expect(read(pool, 'a\\u12g4')).toBeNull()
    expect(read(pool, 'abc\\')).toBeNull()
    expect(read(pool, 'abc', '')).toBeNull()
    expect(read(pool, 'a'.repeat(100), '')).toBeNull()
    expect(read(pool, Buffer.from([0x41, 0xff]))).toBeNull()
    expect(read(pool, 'a\nb')).toBeNull()
    expect(read(pool, 'yes')).toBe('yes')
  }
})

test('the same text is the same string, checked once, while the pool has room', () => {
  let checks = 0
  const pool = new StringPool((text) => {
    checks += 1
    return text
  })
  for (let time = 0; time < 5; time += 1)
    for (let index = 0; index < 1_000; index += 1) expect(read(pool, `S${index}`)).toBe(`S${index}`)
  expect(checks).toBeLessThan(1_010)
})

test('more strings than there is room for stay right', () => {
  const pool = new StringPool((text) => text)
  for (let time = 0; time < 2; time += 1) {
    for (let index = 0; index < 20_000; index += 1) expect(read(pool, `SYMBOL${index}`)).toBe(`SYMBOL${index}`)
  }
})

test.each([
  ['a\\"b', 'a"b'],
  ['\\\\', '\\'],
  ['\\b\\f\\n\\r\\t\\/', '\b\f\n\r\t/'],
  ['\\u0041\\u00e9\\ud83d\\ude00', 'A\u00e9\u{1f600}'],
  ['\\ud800', '\ud800'],
  ['é\\"', 'é"'],
  [`${'a'.repeat(5_000)}\\n`, `${'a'.repeat(5_000)}\n`],
  [`${'a'.repeat(100)}\\\\é\\u0000`, `${'a'.repeat(100)}\\é\0`],
])('%j is read with its escapes', (content, text) => {
  const pool = new StringPool((one) => one)
  for (let time = 0; time < 3; time += 1) expect(read(pool, content)).toBe(text)
})

test('strings that never come again are read without the pool for a while, and right', () => {
  const pool = new StringPool((text) => text)
  let wrong = 0
  for (let index = 0; index < 20_000; index += 1) if (read(pool, `unique${index}`) !== `unique${index}`) wrong += 1
  for (let index = 0; index < 1_000; index += 1) if (read(pool, 'again') !== 'again') wrong += 1
  expect(wrong).toBe(0)
})
