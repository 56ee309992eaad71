import { isArchivePlace } from '../host/archivePlace.ts'
import { integer, such, yesOrNo, yesOrNoAllowed } from './settingReaders.ts'
import type { CommandName, Setting } from './settingTypes.ts'

export const backupCommands: readonly CommandName[] = ['backup', 'backup list', 'backup verify', 'restore']

/** The part of the table of settings that is about backups. */
export const backupSettingTable = {
  backupPlace: {
    read: such((place) => place !== '' && (!place.startsWith('s3://') || isArchivePlace(place))),
    env: 'MILLRACE_BACKUP',
    flag: '--place <place>',
    commands: [...backupCommands, 'monitor'],
    default: null,
    allowed: 'a folder, or s3://bucket/prefix',
    description: 'Where backups are (required). Best on another disk or machine than the data folder.',
    narrower: {
      monitor: {
        description: 'Where backups are, for a metric of when the newest one was taken. Unset: there is none.',
      },
    },
  },
  keepBackups: {
    read: integer(1, 100_000),
    env: 'MILLRACE_KEEP_BACKUPS',
    flag: '--keep <count>',
    commands: ['backup'],
    default: null,
    allowed: 'a whole number from 1 to 100000',
    description: 'Once it is whole, delete all backups but so many of the newest. Unset: all stay.',
  },
  setsAside: {
    read: yesOrNo,
    env: null,
    flag: '--set-aside',
    commands: ['restore'],
    default: 'false',
    allowed: yesOrNoAllowed,
    description:
      'Move files of archive and lake that are of the time after the backup out of the way. Unset: refuse where there are some.',
  },
} as const satisfies Record<string, Setting>
