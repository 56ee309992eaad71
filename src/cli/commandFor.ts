import { relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { packageFolder } from '../runtime/ownPackage.ts'
import type { CommandContext } from './commandContext.ts'
import { settingsOf } from './settings.ts'
import { commandNames } from './settingTypes.ts'
import { shellWord } from './shellWord.ts'

type Place = Pick<CommandContext, 'settings' | 'origins'>

/** A command to try next, as it is to be typed: on the same data folder, where that was named on the command line. */
export function commandFor(place: Place, words: string): string {
  return `npx millrace ${words}${dataDirFlag(place)}`
}

/** Longer names first, so that `run realtime` is not taken for `run`. */
const names = [...commandNames].sort((a, b) => b.length - a.length).join('|')
const commandsIn = new RegExp(`(?<![\\w./-])(?:npx )?millrace (${names})(?![\\w-])([^\`\\n]*)`, 'g')

const docsFolder = fileURLToPath(new URL('docs', packageFolder))
const pagesIn = /(?<![\w./-])docs\/(?=[\w/-]+\.md\b)/g

/**
 * A text for people in which each command of ours can be copied as it stands: with what runs it, and on the data folder that was named on the command line. Pages of the
 * docs are named by where they are: in a project, below its `node_modules`.
 */
export function pasteable(text: string, place: Place): string {
  return withCommands(text, place).replace(pagesIn, `${shownPath(docsFolder)}/`)
}

function shownPath(folder: string): string {
  const fromHere = relative(process.cwd(), folder)
  return fromHere.startsWith('..') ? folder : fromHere
}

function withCommands(text: string, place: Place): string {
  return text.replace(commandsIn, (_, name: (typeof commandNames)[number], rest: string) => {
    const flag = settingsOf(name).includes('dataDir') && !rest.includes('--data-dir') ? dataDirFlag(place) : ''
    // What follows may hold another command.
    return `npx millrace ${name}${flag}${withCommands(rest, place)}`
  })
}

function dataDirFlag({ settings, origins }: Place): string {
  return origins.dataDir === 'flag' ? ` --data-dir ${shellWord(settings.dataDir)}` : ''
}
