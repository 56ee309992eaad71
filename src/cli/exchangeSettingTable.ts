import { integer, text } from './settingReaders.ts'
import type { CommandName, Setting } from './settingTypes.ts'

const exchange: readonly CommandName[] = ['exchange']

/** The part of the table of settings that is about the simulated exchange. */
export const exchangeSettingTable = {
  exchangePort: {
    read: integer(0, 65_535),
    env: null,
    flag: '--port <port>',
    commands: exchange,
    default: '9550',
    allowed: 'a whole number from 0 to 65535',
    description: 'Where it listens, on 127.0.0.1 only. 0 takes a free port.',
  },
  exchangeSeed: {
    read: text(1, 100),
    env: null,
    flag: '--seed <seed>',
    commands: exchange,
    default: '1',
    allowed: 'any text of at most 100 characters',
    description: 'Decides the market and the faults.',
  },
  exchangeRate: {
    read: integer(0, 10_000),
    env: null,
    flag: '--rate <count>',
    commands: exchange,
    default: '20',
    allowed: 'a whole number from 0 to 10000',
    description: 'Trades a second, over all symbols.',
  },
  exchangeFaults: {
    read: integer(0, 60),
    env: null,
    flag: '--faults <count>',
    commands: exchange,
    default: '0',
    allowed: 'a whole number from 0 to 60',
    description: 'Faults a minute: connections cut, silence, repeats, disorder, refusals of REST and the like.',
  },
} as const satisfies Record<string, Setting>
