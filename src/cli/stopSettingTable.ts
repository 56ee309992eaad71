import { integer } from './settingReaders.ts'
import type { Setting } from './settingTypes.ts'

/** The part of the table of settings that is about stopping what runs. */
export const stopSettingTable = {
  stopWait: {
    read: integer(0, 86_400),
    env: null,
    flag: '--wait <seconds>',
    commands: ['stop'],
    default: '60',
    allowed: 'a whole number from 0 to 86400',
    description: 'How long to wait until all of it has stopped, s. 0 only asks for it.',
  },
} as const satisfies Record<string, Setting>
