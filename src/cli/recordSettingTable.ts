import { integer } from './settingReaders.ts'
import type { CommandName, Setting } from './settingTypes.ts'

const record: readonly CommandName[] = ['record']

/** The part of the table of settings that is about recording a tape. */
export const recordSettingTable = {
  seconds: {
    read: integer(1, 31_536_000),
    env: null,
    flag: '--seconds <count>',
    commands: record,
    default: null,
    allowed: 'a whole number from 1 to 31536000',
    description: 'How long to record. Unset: until Ctrl-C.',
  },
  records: {
    read: integer(1, 1_000_000_000),
    env: null,
    flag: '--records <count>',
    commands: record,
    default: null,
    allowed: 'a whole number from 1 to 1000000000',
    description: 'How many frames to add at most. Unset: no bound.',
  },
} as const satisfies Record<string, Setting>
