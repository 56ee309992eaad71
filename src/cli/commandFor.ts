import type { CommandContext } from './commandContext.ts'

/** A command to try next, as it is to be typed: on the same data folder, where that was named on the command line. */
export function commandFor({ settings, origins }: Pick<CommandContext, 'settings' | 'origins'>, words: string): string {
  const { dataDir } = settings
  const quoted = /^[\w./:@%+,=-]+$/.test(dataDir) ? dataDir : `'${dataDir.replaceAll("'", "'\\''")}'`
  return `npx millrace ${words}${origins.dataDir === 'flag' ? ` --data-dir ${quoted}` : ''}`
}
