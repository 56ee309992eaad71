import { logLevels } from './logOutput.ts'
import { oneOf } from './settingReaders.ts'
import type { CommandName, Setting } from './settingTypes.ts'

/** What may run for long, with nobody there to read it. */
export const loggingCommands: readonly CommandName[] = [
  'run',
  'run realtime',
  'run batch',
  'ingest',
  'backfill',
  'reconcile',
  'runs backfill',
  'console',
  'lake serve',
  'monitor',
]

/** The part of the table of settings that is about logs. */
export const logSettingTable = {
  logFormat: {
    read: oneOf(['text', 'json']),
    env: 'MILLRACE_LOG_FORMAT',
    flag: '--log-format <format>',
    commands: loggingCommands,
    default: 'text',
    allowed: 'text or json',
    description:
      'How lines are printed. json: an object a line with time, level, code where there is one, and message; there is no live screen then.',
  },
  logLevel: {
    read: oneOf(logLevels),
    env: 'MILLRACE_LOG_LEVEL',
    flag: '--log-level <level>',
    commands: loggingCommands,
    default: 'info',
    allowed: logLevels.join(', '),
    description: 'Which lines are printed: these and what is worse.',
  },
} as const satisfies Record<string, Setting>
