import type { SettingReader } from './settingReaders.ts'

/** All commands, in the order in which they are shown; those of a family are described in a file of `described`. */
export const commandFamilies = {
  running: [
    'new',
    'run',
    'run realtime',
    'run batch',
    'ingest',
    'record',
    'exchange',
    'graph',
    'runs list',
    'runs show',
    'runs retry',
    'runs backfill',
  ],
  data: ['backfill', 'reconcile', 'verify', 'quality check', 'quality report', 'contract', 'dbt'],
  reading: ['candles', 'rows', 'sql', 'console', 'portfolio', 'indicators', 'status'],
  messages: [
    'dead-letters list',
    'dead-letters show',
    'dead-letters redrive',
    'outbox list',
    'outbox retry',
    'alerts list',
    'alerts test',
    'alerts silence',
  ],
  storage: ['archive sweep', 'lake tables', 'lake serve', 'lake expire', 'lake sweep'],
  progress: [
    'state list',
    'state copy',
    'state drop',
    'state own',
    'offsets skip',
    'offsets accept-loss',
    'offsets unskip',
    'offsets list',
  ],
  provisions: [
    'symbols list',
    'symbols add',
    'symbols remove',
    'symbols enable',
    'symbols disable',
    'symbols validate',
    'topics create',
    'topics describe',
    'buckets create',
  ],
  operating: [
    'health',
    'monitor',
    'doctor',
    'migrate',
    'backup',
    'backup list',
    'backup verify',
    'restore',
    'stop',
    'cleanup',
    'retention',
  ],
} as const

export type CommandFamily = keyof typeof commandFamilies

export const commandNames = Object.values(commandFamilies).flat()

export type CommandName = (typeof commandFamilies)[CommandFamily][number]

/** One thing that a user can set, as text from wherever it comes. */
export interface Setting {
  /** Checks the text and makes the value. */
  readonly read: SettingReader<unknown>
  /** Environment variable, also read from `.env`; null where only the flag makes sense. */
  readonly env: string | null
  /** As commander wants it, or null where only the environment makes sense. */
  readonly flag: string | null
  readonly commands: readonly CommandName[]
  /** As a user would write it; null means unset. */
  readonly default: string | null
  readonly allowed: string
  readonly description: string
  /** What a command takes less, or says otherwise, than the others. */
  readonly narrower?: Readonly<
    Partial<Record<CommandName, { readonly allowed?: string; readonly description?: string }>>
  >
  /** Secrets are masked in every message. */
  readonly secret?: boolean
}
