import { integer, listOf, matching, text, trimmedAtCommas, yesOrNo, yesOrNoAllowed } from './settingReaders.ts'
import type { CommandName, Setting } from './settingTypes.ts'

const consoles: readonly CommandName[] = ['console', 'run realtime']

/** The part of the table of settings that is about the console in the browser. */
export const consoleSettingTable = {
  console: {
    read: yesOrNo,
    env: 'MILLRACE_CONSOLE',
    flag: '--no-console',
    commands: ['run realtime'],
    default: 'true',
    allowed: yesOrNoAllowed,
    description: 'Whether the console in the browser comes with the run. Never with --until-end.',
  },
  consoleHost: {
    read: text(1, 253),
    env: 'MILLRACE_CONSOLE_HOST',
    flag: '--console-host <address>',
    commands: consoles,
    default: '127.0.0.1',
    allowed: 'an address of this machine',
    description: 'Where the console listens. Anywhere but on loopback it needs MILLRACE_CONSOLE_TOKEN.',
  },
  consolePort: {
    read: integer(0, 65_535),
    env: 'MILLRACE_CONSOLE_PORT',
    flag: '--console-port <number>',
    commands: consoles,
    default: '4180',
    allowed: 'a whole number from 0 to 65535; 0 takes a free one',
    description: 'Port of the console. Where nobody names one and it is taken, a free one is used.',
  },
  consoleToken: {
    read: text(32, 1_000),
    env: 'MILLRACE_CONSOLE_TOKEN',
    flag: null,
    commands: consoles,
    default: null,
    allowed: 'text of 32 characters or more',
    description: 'What the console asks for before it shows anything. Unset: nothing is asked for, on loopback.',
    secret: true,
  },
  consoleNames: {
    read: listOf(trimmedAtCommas, matching(/^[a-zA-Z0-9._:-]{1,253}$/), { most: 100 }),
    env: 'MILLRACE_CONSOLE_NAMES',
    flag: '--console-names <names>',
    commands: consoles,
    default: null,
    allowed: 'names of hosts, separated by commas',
    description: 'Further names that the console is reached by, such as that of a proxy in front of it.',
  },
} as const satisfies Record<string, Setting>
