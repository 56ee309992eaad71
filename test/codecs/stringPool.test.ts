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

test('a string without escapes comes back as it is, the first time and every other', () => {
  const pool = new StringPool((text) => text)
  fc.assert(
    fc.property(fc.array(fc.string({ unit: 'binary', maxLength: 90 }), { minLength: 1 }), (texts) => {
      for (const text of [...texts, ...texts]) {
        const content = JSON.stringify(text).slice(1, -1)
        const isPlain = content === text && text.isWellFormed()
        expect(read(pool, content)).toBe(isPlain ? text : content.includes('\\') ? null : text)
      }
    }),
  )
})

test('what is not accepted, has escapes or does not end is refused every time', () => {
  const pool = new StringPool((text) => (text === 'no' ? null : text))
  for (let time = 0; time < 3; time += 1) {
    expect(read(pool, 'no')).toBeNull()
    expect(read(pool, 'a\\"b')).toBeNull()
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
