import { durationMs } from '../runtime/duration.ts'
import { integer, matching, notAllowed, type SettingReader, text } from './settingReaders.ts'
import type { Setting } from './settingTypes.ts'

const duration: SettingReader<number> = (given) => {
  try {
    const ms = durationMs(given as `${number}s`, 'it')
    if (ms > 0) return ms
  } catch {
    // Said below, in the words of the setting.
  }
  return notAllowed
}

/** The part of the table of settings that is about what is expected of tables. */
export const qualitySettingTable = {
  quality: {
    read: text(1, 200),
    env: null,
    flag: '--quality <name>',
    commands: ['quality report'],
    default: null,
    allowed: 'the name of a quality, which is that of its table unless it has another',
    description: 'Only this one. Unset: all.',
  },
  qualityRun: {
    read: text(1, 1_000),
    env: null,
    flag: '--run <id>',
    commands: ['quality report'],
    default: null,
    allowed: 'the id of a run',
    description: 'What this run found. Unset: what the newest one found.',
  },
  html: {
    read: text(),
    env: null,
    flag: '--html <file>',
    commands: ['quality report'],
    default: null,
    allowed: 'a file to write',
    description: 'Write one page of HTML that needs nothing else.',
  },
  windowMs: {
    read: duration,
    env: null,
    flag: '--window <duration>',
    commands: ['quality check'],
    default: '1h',
    allowed: 'a number and ms, s, m, h or d, such as 5m',
    description: 'How long the windows are that are judged by themselves.',
  },
  contractId: {
    read: matching(/^[A-Za-z0-9_-]{1,100}$/),
    env: null,
    flag: '--id <id>',
    commands: ['contract'],
    default: 'millrace',
    allowed: 'letters, digits, - and _',
    description: 'Of the contract: unique among those of its users.',
  },
  contractName: {
    read: text(1, 200),
    env: null,
    flag: '--name <name>',
    commands: ['contract'],
    default: null,
    allowed: 'up to 200 characters',
    description: 'Of the contract, for people. Unset: its id.',
  },
  contractVersion: {
    read: matching(/^\d{1,9}\.\d{1,9}\.\d{1,9}$/),
    env: null,
    flag: '--contract-version <version>',
    commands: ['contract'],
    default: '1.0.0',
    allowed: 'three numbers, such as 1.2.0',
    description: 'Of the contract; count it up when its users have to change something.',
  },
  qualityLimit: {
    read: integer(1, 100_000),
    env: null,
    flag: '--limit <count>',
    commands: ['quality report'],
    default: '20',
    allowed: 'a whole number from 1 to 100000',
    description: 'How many windows and rows to show of each quality.',
  },
} as const satisfies Record<string, Setting>
