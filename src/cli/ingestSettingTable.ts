import { runNameAllowed, runNamePattern } from '../host/runNames.ts'
import { matching, notAllowed, oneOf, type SettingReader, text } from './settingReaders.ts'
import type { CommandName, Setting } from './settingTypes.ts'

const ingest: readonly CommandName[] = ['ingest']

const field = matching(/^[^.\s][^\s]{0,199}$/)
const fieldAllowed = 'a field of the lines, such as sensor or station.id'

const shard: SettingReader<{ readonly number: number; readonly of: number }> = (given) => {
  const [number = 0, of = 0] = /^\d{1,3}\/\d{1,3}$/.test(given) ? given.split('/').map(Number) : []
  return number >= 1 && number <= of ? { number, of } : notAllowed
}

/** The part of the table of settings that is about what is brought into a topic other than trades. */
export const ingestSettingTable = {
  key: {
    read: field,
    env: null,
    flag: '--key <field>',
    commands: ingest,
    default: null,
    allowed: fieldAllowed,
    description: 'Of JSON lines: the field that is the key of the record. Unset: no key, and all go to partition 0.',
  },
  time: {
    read: field,
    env: null,
    flag: '--time <field>',
    commands: ingest,
    default: null,
    allowed: fieldAllowed,
    description:
      'Of JSON lines: the field that is the time of the record, ISO 8601 text or a number. Unset: the record has none.',
  },
  onBadLine: {
    read: oneOf(['stop', 'skip']),
    env: null,
    flag: '--on-bad-line <what>',
    commands: ingest,
    default: 'stop',
    allowed: 'stop or skip',
    description:
      'What becomes of a line that is no JSON, or without its key or time; skip leaves it out and counts it.',
  },
  feed: {
    read: text(),
    env: null,
    flag: '--feed <file>',
    commands: ingest,
    default: null,
    allowed: 'TypeScript or JavaScript that exports a feed',
    description: 'A feed of your own (defineFeed) to bring in.',
  },
  shard: {
    read: shard,
    env: 'MILLRACE_SHARD',
    flag: '--shard <part>',
    commands: ingest,
    default: null,
    allowed: 'one of how many, such as 1/3',
    description:
      'Of --source binance or coinbase: takes only the symbols whose partitions of the topic are this part of all, so that several ingests share them. Each has a producer of its own.',
  },
  producer: {
    read: matching(runNamePattern),
    env: null,
    flag: '--producer <name>',
    commands: ingest,
    default: null,
    allowed: runNameAllowed,
    description:
      'In whose name the position is kept: one for each of several ingests into one topic. Unset: the name of the file, or of the feed.',
  },
} as const satisfies Record<string, Setting>
