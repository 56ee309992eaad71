import { defaultLimits } from '../runtime/task/workerLimits.ts'
import { integer } from './settingReaders.ts'
import type { CommandName, Setting } from './settingTypes.ts'

const run: readonly CommandName[] = ['run', 'run realtime']
/** What is set aside depends on it, and so does what a run is compared with. */
const runAndVerify: readonly CommandName[] = [...run, 'verify']

const mebibyte = 1_048_576

/** The part of the table of settings that is about what a record may take. */
export const limitSettingTable = {
  maxRecordBytes: {
    read: integer(1_024, 128 * mebibyte),
    env: 'MILLRACE_MAX_RECORD_BYTES',
    flag: null,
    commands: runAndVerify,
    default: String(defaultLimits.maxRecordBytes),
    allowed: 'a whole number from 1024 to 134217728',
    description:
      'The largest record that is worked on, with its key and headers. A larger one is set aside as `too-large`; raise this and redrive it. Reading a value takes several times its size.',
  },
  maxRecordResults: {
    read: integer(1, 10_000_000),
    env: 'MILLRACE_MAX_RECORD_RESULTS',
    flag: null,
    commands: runAndVerify,
    default: String(defaultLimits.maxRecordResults),
    allowed: 'a whole number from 1 to 10000000',
    description:
      'The most rows and messages that one record may bring about by itself; those of windows that close do not count. One that brings about more is set aside as `too-many-results`, and none of them is stored.',
  },
  maxRecordResultBytes: {
    read: integer(1_024, 512 * mebibyte),
    env: 'MILLRACE_MAX_RECORD_RESULT_BYTES',
    flag: null,
    commands: runAndVerify,
    default: String(defaultLimits.maxRecordResultBytes),
    allowed: 'a whole number from 1024 to 536870912',
    description: 'The same in bytes, roughly.',
  },
  maxLetterBytes: {
    read: integer(256, 16 * mebibyte),
    env: 'MILLRACE_MAX_LETTER_BYTES',
    flag: null,
    commands: run,
    default: String(defaultLimits.maxLetterBytes),
    allowed: 'a whole number from 256 to 16777216',
    description:
      'How much a dead letter keeps of the value of its record, and of key and headers each: the beginning, with the length and the SHA-256 of the whole. Redriving one reads the rest from the log.',
  },
  maxBatchBytes: {
    read: integer(1_024, 1_024 * mebibyte),
    env: 'KAFKA_MAX_BATCH_BYTES',
    flag: null,
    commands: [...run, 'console', 'dead-letters redrive'],
    default: String(64 * mebibyte),
    allowed: 'a whole number from 1024 to 1073741824',
    description:
      'The most that one batch of a topic of Kafka may hold once it is decompressed. One that holds more ends the run before memory is given to it; `millrace offsets skip` goes on behind it.',
  },
} as const satisfies Record<string, Setting>
