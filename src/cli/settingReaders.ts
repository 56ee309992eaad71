import { ConfigurationError } from '../runtime/errors.ts'
import type { StartFrom } from '../runtime/log/startFrom.ts'
import { parseDatabaseUrl } from '../sinks/postgres/databaseUrl.ts'
import { parseTime } from './time.ts'

/** What a reader gives for a text that is not allowed. */
export class NotAllowed {
  /** All there is to say, without a secret; null where the setting says what is allowed. */
  readonly says: string | null

  constructor(says: string | null) {
    this.says = says
  }
}

export const notAllowed = new NotAllowed(null)

/** Makes the value of a setting of its text. Not by zod, which takes a third of a short command to load, and is nothing that a command has to wait for in order to read words and numbers. */
export type SettingReader<T> = (text: string) => T | NotAllowed

/** Any text of so many characters. */
export function text(least = 1, most = Number.POSITIVE_INFINITY): SettingReader<string> {
  return (given) => (given.length >= least && given.length <= most ? given : notAllowed)
}

/** The same, without what is blank around it. */
export function trimmed(least: number, most: number): SettingReader<string> {
  const read = text(least, most)
  return (given) => read(given.trim())
}

export function matching(pattern: RegExp): SettingReader<string> {
  return (given) => (pattern.test(given) ? given : notAllowed)
}

export function such(isAllowed: (given: string) => boolean): SettingReader<string> {
  return (given) => (isAllowed(given) ? given : notAllowed)
}

export function oneOf<const T extends string>(words: readonly T[]): SettingReader<T> {
  return (given) => words.find((word) => word === given) ?? notAllowed
}

/** As many as there may be, each read by itself. */
export function listOf<T>(
  split: (given: string) => readonly string[],
  read: SettingReader<T>,
  { least = 1, most = Number.POSITIVE_INFINITY }: { readonly least?: number; readonly most?: number } = {},
): SettingReader<readonly T[]> {
  return (given) => {
    const parts = split(given)
    if (parts.length < least || parts.length > most) return notAllowed
    const values: T[] = []
    for (const part of parts) {
      const value = read(part)
      if (value instanceof NotAllowed) return value
      values.push(value)
    }
    return values
  }
}

/** Each once, in the order in which they came first. */
export function distinct<T>(read: SettingReader<readonly T[]>): SettingReader<readonly T[]> {
  return (given) => {
    const list = read(given)
    return list instanceof NotAllowed ? list : [...new Set(list)]
  }
}

export const atCommas = (given: string): readonly string[] => given.split(',')

export const trimmedAtCommas = (given: string): readonly string[] => given.split(',').map((part) => part.trim())

/** One a line, as a flag that is given several times is handed over. */
export const atLines = (given: string): readonly string[] => given.split('\n')

const readYesOrNo = oneOf(['true', 'false', '1', '0', 'yes', 'no'])

export const yesOrNo: SettingReader<boolean> = (given) => {
  const word = readYesOrNo(given.toLowerCase())
  return word instanceof NotAllowed ? word : word === 'true' || word === '1' || word === 'yes'
}

export const yesOrNoAllowed = 'true or false'

export function integer(least: number, most: number): SettingReader<number> {
  return (given) => {
    const value = /^\d{1,15}$/.test(given) ? Number(given) : Number.NaN
    return value >= least && value <= most ? value : notAllowed
  }
}

const readSymbol = matching(/^[\p{L}\p{N}_-]{1,40}$/u)

export const symbol: SettingReader<string> = (given) => readSymbol(given.trim().toUpperCase())

export const symbolList = distinct(listOf(atCommas, symbol, { most: 1000 }))

export const fileList = listOf(atLines, text(), { most: 1000 })

export const pipelineName = matching(/^[a-z][a-z0-9_-]*$/)

export const pipelineNameAllowed = 'the name of a pipeline: lower-case letters, digits, - and _'

/** Which tasks of a pipeline: of all topics and partitions where these are left out. */
export interface TasksOf {
  readonly pipeline: string
  readonly topic?: string
  readonly partition?: number
}

export const tasksOf: SettingReader<TasksOf> = (given) => {
  const [, pipeline, topic, partition] = /^([a-z][a-z0-9_-]*)(?:\/([^/\s]{1,249})(?:\/(\d{1,9}))?)?$/.exec(given) ?? []
  if (pipeline === undefined) return notAllowed
  return {
    pipeline,
    ...(topic === undefined ? {} : { topic }),
    ...(partition === undefined ? {} : { partition: Number(partition) }),
  }
}

export const tasksOfAllowed = 'PIPELINE, PIPELINE/TOPIC or PIPELINE/TOPIC/PARTITION'

export const newOwner: SettingReader<TasksOf | 'nobody'> = (given) => (given === 'nobody' ? given : tasksOf(given))

export const time: SettingReader<number> = (given) => parseTime(given) ?? notAllowed

export const timeAllowed = 'an ISO 8601 time in UTC (2024-08-08T23:55:00Z), a date (2024-08-08) or ms since 1970'

/** A word, a time, or digits, which are an offset here and no ms. */
export const startFrom: SettingReader<StartFrom> = (given) => {
  if (given === 'earliest' || given === 'latest') return given
  if (/^\d{1,15}$/.test(given)) return { offset: Number(given) }
  const ms = parseTime(given)
  return ms !== null && ms >= 0 ? { time: ms } : notAllowed
}

export const startFromAllowed =
  'earliest, latest, an ISO 8601 time in UTC (2024-08-08T23:55:00Z), a date, or an offset (a whole number)'

/** An address that can be used; what is said of another one is why it cannot and what can, and holds no secret. */
export const databaseUrl: SettingReader<string> = (given) => {
  try {
    parseDatabaseUrl(given)
    return given
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error
    return new NotAllowed(error.message)
  }
}

/** An address that is told in lines and reports: of one that holds a secret that is said, and not the address. */
export function plainUrl(protocols: readonly string[]): SettingReader<string> {
  const read = url(protocols)
  return (given) => {
    const address = read(given)
    if (address instanceof NotAllowed) return address
    const { username = '', password = '', search = '' } = URL.parse(address) ?? {}
    if (username === '' && password === '' && search === '') return address
    return new NotAllowed('the address must have no user, password or query, which would be told in every report')
  }
}

export function url(protocols: readonly string[]): SettingReader<string> {
  return (given) => {
    const address = given.replace(/\/+$/, '')
    return protocols.includes(URL.parse(address)?.protocol ?? '') ? address : notAllowed
  }
}
