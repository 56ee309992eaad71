import { describe, expect, test } from 'vitest'
import { deadLetterDetails, deadLetterJson, deadLetterRow } from '../../src/cli/deadLetterFormat.ts'
import type { StoredDeadLetter } from '../../src/queries/deadLetters.ts'

const letter: StoredDeadLetter = {
  pipeline: 'realtime',
  topic: 'trades',
  partition: 2,
  offset: 7,
  operator: 'decode',
  ordinal: 0,
  reason: 'malformed',
  detail: 'broken',
  recordTime: null,
  key: Buffer.from('BTCUSDT'),
  headers: [],
  payload: Buffer.from('{}'),
  cut: null,
  createdAt: 0,
  redrivenAt: null,
}

const shown = (more: Partial<StoredDeadLetter>) => deadLetterDetails({ ...letter, ...more }, 'market')

test('an id can be pasted as one word', () => {
  expect(deadLetterRow(letter, 'public')[0]).toBe('realtime/trades/2/7/decode/0')
  expect(deadLetterRow({ ...letter, operator: "outlet a's" }, 'public')[0]).toBe(
    "'realtime/trades/2/7/outlet a'\\''s/0'",
  )
  expect(shown({ operator: 'decode orders' })[0]).toBe("id           'realtime/trades/2/7/decode orders/0'")
})

describe('what `dead-letters show` prints', () => {
  test('a key is text where it is UTF-8 and hex where it is not', () => {
    expect(shown({})).toContain('key          BTCUSDT')
    expect(shown({ key: Buffer.from([0xff, 0, 0x41]) })).toContain('key          \\xff0041')
    expect(shown({ key: null })).toContain('key          -')
  })

  test('headers are there one a line, in order, with what a terminal would obey made visible', () => {
    const headers = [
      { key: 'trace\u001b', value: Buffer.from('é\u0007') },
      { key: 'bytes', value: Buffer.from([0x80]) },
      { key: 'bytes', value: null },
    ]
    expect(shown({ headers }).filter((line) => line.startsWith('header'))).toEqual([
      'header       trace\\u{1b}: é\\u{7}',
      'header       bytes: \\x80',
      'header       bytes: -',
    ])
  })

  test('programs get key and headers as base64 too, which tells null from what is no text', () => {
    const bytes = Buffer.from([0xff])
    const headers = [
      { key: 'text', value: Buffer.from('\ufeffé') },
      { key: 'bytes', value: bytes },
      { key: 'null', value: null },
    ]
    expect(deadLetterJson({ ...letter, key: bytes, headers }, 'market')).toMatchObject({
      key: null,
      keyBase64: '/w==',
      headers: [
        { key: 'text', value: '\ufeffé', valueBase64: '77u/w6k=' },
        { key: 'bytes', value: null, valueBase64: '/w==' },
        { key: 'null', value: null, valueBase64: null },
      ],
    })
  })
})
