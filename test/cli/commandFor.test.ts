import { resolve } from 'node:path'
import { describe, expect, test, vi } from 'vitest'
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

test('a page of the docs is named by where it is', () => {
  const root = resolve(import.meta.dirname, '../..')
  const told = 'What to do: docs/reference/errors.md#millrace_state.'
  const cwd = vi.spyOn(process, 'cwd')
  const from = (folder: string) => {
    cwd.mockReturnValue(folder)
    return pasteable(told, byDefault)
  }
  try {
    expect(from(root)).toBe(told)
    expect(from(resolve(root, '..'))).toMatch(/^What to do: [\w.-]+\/docs\/reference\/errors\.md#/)
    expect(from('/somewhere/else')).toBe(`What to do: ${root}/docs/reference/errors.md#millrace_state.`)
  } finally {
    cwd.mockRestore()
  }
  expect(pasteable('see my/docs/a.md and https://host/docs/b.md', byDefault)).toBe(
    'see my/docs/a.md and https://host/docs/b.md',
  )
})
