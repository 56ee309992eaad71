import { expect, test } from 'vitest'
import { shownText } from '../../src/runtime/shownText.ts'

test('what would steer a terminal is spelled out, and line ends stay', () => {
  expect(shownText('a\u001b[2J\u009b1m\r\u202Eb\nc é 🙂')).toBe('a\\u{1b}[2J\\u{9b}1m\\u{d}\\u{202e}b\nc é 🙂')
})
