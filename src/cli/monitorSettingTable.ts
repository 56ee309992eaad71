import { integer, notAllowed, text } from './settingReaders.ts'
import type { CommandName, Setting } from './settingTypes.ts'

const judging: readonly CommandName[] = ['monitor', 'health']

function threshold(env: string, flag: string, value: string, description: string) {
  return {
    read: integer(0, 1_000_000_000),
    env,
    flag,
    commands: judging,
    default: value,
    allowed: 'a whole number from 0 to 1000000000',
    description,
  } as const
}

/** The part of the table of settings that is about metrics and about what counts as well. */
export const monitorSettingTable = {
  metricsPort: {
    read: integer(0, 65_535),
    env: 'MILLRACE_METRICS_PORT',
    flag: '--metrics-port <number>',
    commands: ['monitor'],
    default: '9464',
    allowed: 'a whole number from 0 to 65535; 0 takes a free one',
    description: 'Port of /metrics, /healthz and /readyz.',
  },
  metricsHost: {
    read: text(1, 253),
    env: 'MILLRACE_METRICS_HOST',
    flag: '--metrics-host <address>',
    commands: ['monitor'],
    default: '127.0.0.1',
    allowed: 'an address of this machine',
    description: 'Where they listen. Anywhere but on loopback MILLRACE_METRICS_TOKEN is needed.',
  },
  metricsToken: {
    read: text(32, 1_000),
    env: 'MILLRACE_METRICS_TOKEN',
    flag: null,
    commands: ['monitor'],
    default: null,
    allowed: 'text of 32 characters or more',
    description: 'What has to be given as a bearer token, but for /healthz. Unset: nothing, on loopback.',
    secret: true,
  },
  measureEvery: {
    read: integer(1, 3_600),
    env: 'MILLRACE_MEASURE_SECONDS',
    flag: '--measure-every <seconds>',
    commands: ['monitor'],
    default: '10',
    allowed: 'a whole number from 1 to 3600',
    description: 'How often it measures for the rules of --alerts-file, s.',
  },
  isReady: {
    read: (given) => (given === 'true' || given === 'false' ? given === 'true' : notAllowed),
    env: null,
    flag: '--ready',
    commands: ['health'],
    default: 'false',
    allowed: 'true or false',
    description: 'Also whether the data are well, by the bounds below. Unset: only whether the processes are alive.',
  },
  maxWatermarkLag: threshold(
    'MILLRACE_MAX_WATERMARK_LAG',
    '--max-watermark-lag <seconds>',
    '120',
    'How far event time may be behind the clock, s.',
  ),
  maxLag: threshold(
    'MILLRACE_MAX_LAG',
    '--max-lag <records>',
    '100000',
    'How many records of a partition may not be committed yet.',
  ),
  maxCandleAge: threshold(
    'MILLRACE_MAX_CANDLE_AGE',
    '--max-candle-age <seconds>',
    '300',
    'How long ago the newest closed candle of a market may have ended, s.',
  ),
  maxOpenGaps: threshold(
    'MILLRACE_MAX_OPEN_GAPS',
    '--max-open-gaps <count>',
    '0',
    'How many gaps of the feed may be open.',
  ),
  maxDeadLetters: threshold(
    'MILLRACE_MAX_DEAD_LETTERS',
    '--max-dead-letters <count>',
    '1000',
    'How many dead letters may wait.',
  ),
  maxOutboxAge: threshold(
    'MILLRACE_MAX_OUTBOX_AGE',
    '--max-outbox-age <seconds>',
    '300',
    'How long a message may wait to be sent, s.',
  ),
  maxSilence: {
    ...threshold(
      'MILLRACE_MAX_SILENCE',
      '--max-silence <seconds>',
      '15',
      'How long a process may say nothing of itself, which it does once a second, and still counts as alive, s.',
    ),
    read: integer(2, 1_000_000_000),
    commands: [...judging, 'doctor'],
    allowed: 'a whole number from 2 to 1000000000',
  },
} as const satisfies Record<string, Setting>
