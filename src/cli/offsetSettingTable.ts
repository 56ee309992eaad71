import { integer, trimmed } from './settingReaders.ts'
import type { CommandName, Setting } from './settingTypes.ts'

const decisions: readonly CommandName[] = ['offsets skip', 'offsets accept-loss']

const places: readonly CommandName[] = [...decisions, 'offsets unskip']

const offset = integer(0, Number.MAX_SAFE_INTEGER)
const offsetAllowed = 'a whole number from 0 up'

/** The part of the table of settings that is about offsets which a person has a pipeline leave out. */
export const offsetSettingTable = {
  partition: {
    read: integer(0, 1_000_000),
    env: null,
    flag: '--partition <number>',
    commands: places,
    default: null,
    allowed: offsetAllowed,
    description: 'Which partition (required).',
  },
  fromOffset: {
    read: offset,
    env: null,
    flag: '--from-offset <offset>',
    commands: places,
    default: null,
    allowed: offsetAllowed,
    description: 'The first offset that is left out. Unset: where the pipeline stands.',
    narrower: {
      'offsets unskip': { description: 'The first offset of the decision, where there are several.' },
    },
  },
  toOffset: {
    read: offset,
    env: null,
    flag: '--to-offset <offset>',
    commands: decisions,
    default: null,
    allowed: offsetAllowed,
    description: 'The first offset that is read again (required).',
  },
  because: {
    read: trimmed(1, 1_000),
    env: null,
    flag: '--because <text>',
    commands: decisions,
    default: null,
    allowed: 'text of at most 1000 characters',
    description: 'Why, for whoever finds the gap later (required).',
  },
} as const satisfies Record<string, Setting>
