import { isArchivePlace } from '../host/archivePlace.ts'
import { integer, such, text } from './settingReaders.ts'
import type { CommandName, Setting } from './settingTypes.ts'

export const lakeCommands: readonly CommandName[] = ['lake tables', 'lake serve', 'lake expire', 'lake sweep']

/** The part of the table of settings that is about the lake. */
export const lakeSettingTable = {
  lake: {
    read: such((place) => place !== 'none' && isArchivePlace(place)),
    env: 'MILLRACE_LAKE',
    flag: null,
    commands: [...lakeCommands, 'run batch', 'backup', 'restore'],
    default: 'directory',
    allowed: 'directory or s3://bucket/prefix',
    description: 'Where the files of the lake are. `directory` is `lake/` in the data folder.',
  },
  lakeHost: {
    read: text(1, 253),
    env: 'MILLRACE_LAKE_HOST',
    flag: '--host <address>',
    commands: ['lake serve'],
    default: '127.0.0.1',
    allowed: 'an address of this machine',
    description: 'Where the catalog listens. Anywhere but on loopback it needs MILLRACE_LAKE_TOKEN.',
  },
  lakePort: {
    read: integer(0, 65_535),
    env: 'MILLRACE_LAKE_PORT',
    flag: '--port <number>',
    commands: ['lake serve'],
    default: '8181',
    allowed: 'a whole number from 0 to 65535; 0 takes a free one',
    description: 'Port of the catalog.',
  },
  lakeToken: {
    read: text(32, 1_000),
    env: 'MILLRACE_LAKE_TOKEN',
    flag: null,
    commands: ['lake serve'],
    default: null,
    allowed: 'text of 32 characters or more',
    description: 'What clients of the catalog give as a bearer token. Unset: none is asked for, on loopback.',
    secret: true,
  },
  keepSnapshots: {
    read: integer(1, 1_000_000),
    env: null,
    flag: '--keep <count>',
    commands: ['lake expire', 'run batch'],
    default: '10',
    allowed: 'a whole number from 1 to 1000000',
    description: 'How many of the newest snapshots of a table stay, whatever their age.',
  },
  keepHours: {
    read: integer(0, 1_000_000),
    env: null,
    flag: '--keep-hours <count>',
    commands: ['lake expire', 'run batch'],
    default: '24',
    allowed: 'a whole number from 0 to 1000000',
    description: 'Snapshots younger than this stay: a reader has so long to finish with one.',
  },
} as const satisfies Record<string, Setting>
