import { describe, expect, test } from 'vitest'
import { pasteable } from '../../src/cli/commandFor.ts'

const at = (dataDir: string, origin: 'flag' | 'default') =>
  ({ settings: { dataDir }, origins: { dataDir: origin } }) as unknown as Parameters<typeof pasteable>[1]
const byDefault = at('./.millrace', 'default')
const named = at('my data', 'flag')

describe('a text with commands', () => {
  test.each([
    ['try `millrace status`.', 'try `npx millrace status`.', "try `npx millrace status --data-dir 'my data'`."],
    [
      'accept the loss: millrace offsets accept-loss --topic t --yes.',
      'accept the loss: npx millrace offsets accept-loss --topic t --yes.',
      "accept the loss: npx millrace offsets accept-loss --data-dir 'my data' --topic t --yes.",
    ],
    [
      '`npx millrace run realtime --tape x` or `millrace run ./a.ts`',
      '`npx millrace run realtime --tape x` or `npx millrace run ./a.ts`',
      "`npx millrace run realtime --data-dir 'my data' --tape x` or `npx millrace run --data-dir 'my data' ./a.ts`",
    ],
    [
      "`npx millrace status --data-dir 'my data'`",
      "`npx millrace status --data-dir 'my data'`",
      "`npx millrace status --data-dir 'my data'`",
    ],
    ['`millrace new my-app`', '`npx millrace new my-app`', '`npx millrace new my-app`'],
    ['millrace 0.1.0 · run, node_modules/.bin/millrace run', null, null],
    ['a millrace statusbar', null, null],
  ])('has them as they are to be typed: %s', (text, here, elsewhere) => {
    expect(pasteable(text, byDefault)).toBe(here ?? text)
    expect(pasteable(text, named)).toBe(elsewhere ?? text)
  })
})
