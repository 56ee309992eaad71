import type { CommandDescription, Described } from './described/commandDescription.ts'
import { type CommandFamily, type CommandName, commandFamilies } from './settingTypes.ts'

/** Words that stand before others. */
export const commandGroups: Readonly<Record<string, string>> = {
  alerts: 'Look at what alert rules have decided, try the channels, silence a rule.',
  archive: 'Look after the archive of raw trades.',
  lake: 'Look at the tables of the lake, serve them to readers, and clean up.',
  quality: 'Judge tables by what is expected of them, and look at what came of it.',
  runs: 'Look at the runs of batch jobs, have intervals run again, or for the first time.',
  buckets: 'Make the buckets of an object store.',
  state: 'Look at what pipelines keep, copy it under another name, drop it; say whose rows are.',
  symbols: 'Look after the file that says which symbols are taken from the exchange.',
  topics: 'Make and look at the topics of Apache Kafka.',
  'dead-letters': 'Look at records that were set aside, and process them again.',
  offsets: 'Go on behind what cannot be read or is gone, and look at what was decided.',
  outbox: 'Look at messages that wait to be sent or were refused, and have them sent again.',
}

const described: { readonly [F in CommandFamily]: () => Promise<Described<F>> } = {
  running: async () => (await import('./described/runningCommands.ts')).runningCommands,
  data: async () => (await import('./described/dataCommands.ts')).dataCommands,
  reading: async () => (await import('./described/readingCommands.ts')).readingCommands,
  messages: async () => (await import('./described/messagesCommands.ts')).messagesCommands,
  storage: async () => (await import('./described/storageCommands.ts')).storageCommands,
  progress: async () => (await import('./described/progressCommands.ts')).progressCommands,
  provisions: async () => (await import('./described/provisionsCommands.ts')).provisionsCommands,
  operating: async () => (await import('./described/operatingCommands.ts')).operatingCommands,
}

/** What is said of these commands, in the order of all of them. Imports the files of their families only. */
export async function describe(names: readonly CommandName[]): Promise<ReadonlyMap<CommandName, CommandDescription>> {
  const families = Object.entries(commandFamilies) as [CommandFamily, readonly CommandName[]][]
  const parts = await Promise.all(
    families.map(async ([family, members]) => {
      const wanted = members.filter((name) => names.includes(name))
      if (wanted.length === 0) return []
      const descriptions: Readonly<Partial<Record<CommandName, CommandDescription>>> = await described[family]()
      return wanted.map((name) => [name, descriptions[name] as CommandDescription] as const)
    }),
  )
  return new Map(parts.flat())
}
