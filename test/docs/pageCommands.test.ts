import { globSync } from 'node:fs'
import { resolve } from 'node:path'
import { describe, expect, it } from 'vitest'
import { settings, settingsOf } from '../../src/cli/settings.ts'
import { type CommandName, commandNames, type Setting } from '../../src/cli/settingTypes.ts'
import { fences } from './pagePrograms.ts'

const root = resolve(import.meta.dirname, '../..')
const pages = ['README.md', 'CONTRIBUTING.md', 'examples/README.md', ...globSync('docs/**/*.md', { cwd: root })]

/** The words of a command line, without variables before it, a comment behind it and what else runs in its line. */
function wordsOf(line: string): readonly string[] | null {
  const [, command] = /(?:^|npx |[(=]\S* )millrace ([^#|&;)]*)/.exec(line.replace(/\\$/, '')) ?? []
  return command === undefined ? null : command.trim().split(/\s+/)
}

function flagsOf(command: CommandName): readonly string[] {
  return settingsOf(command).flatMap((name) => {
    const { flag }: Setting = settings[name]
    return flag === null ? [] : (flag.split(' ')[0] ?? '')
  })
}

function faultOf(line: string): string | null {
  const words = wordsOf(line)
  const first = words?.[0] ?? ''
  if (words === null || first.startsWith('-') || first === '') return null
  const command = [`${first} ${words[1]}`, first].find((name): name is CommandName =>
    (commandNames as readonly string[]).includes(name),
  )
  if (command === undefined) return `no command ${first}`
  const known = [...flagsOf(command), '--help']
  const unknown = words.filter((word) => word.startsWith('--') && !known.includes(word.split('=')[0] ?? ''))
  return unknown.length === 0 ? null : `${command} has no ${unknown.join(', ')}`
}

describe('the commands of the pages', () => {
  it.each(pages)('of %s are there, with their flags', (page) => {
    // A line that ends in a backslash goes on in the next.
    const lines = fences(page, 'sh').flatMap((text) => text.replaceAll('\\\n', ' ').split('\n'))
    const faults = lines.flatMap((line) => {
      const fault = faultOf(line)
      return fault === null ? [] : [`${line}: ${fault}`]
    })
    expect(faults).toEqual([])
  })

  it('are told from what is none', () => {
    expect(faultOf('npx millrace run ./a.ts --until-ned')).toBe('run has no --until-ned')
    expect(faultOf('A=1 npx millrace rum ./a.ts')).toBe('no command rum')
    expect(faultOf('npx millrace dead-letters list --reason late | head')).toBe(null)
  })
})
