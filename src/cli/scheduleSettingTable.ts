import { runStates } from '../queries/runs.ts'
import { integer, oneOf, pipelineName, url, yesOrNo, yesOrNoAllowed } from './settingReaders.ts'
import type { Setting } from './settingTypes.ts'

/** The part of the table of settings that is about batch jobs and their runs. */
export const scheduleSettingTable = {
  schedule: {
    read: yesOrNo,
    env: null,
    flag: '--schedule',
    commands: ['run', 'run batch'],
    default: 'false',
    allowed: yesOrNoAllowed,
    description:
      'Of a batch job: stay, and run each interval when it comes due. Unset: run what is due or was missed, then end.',
    narrower: { 'run batch': { description: 'Stay, and make a pass every five minutes. Unset: make one, then end.' } },
  },
  failureWebhook: {
    read: url(['http:', 'https:']),
    env: 'MILLRACE_FAILURE_WEBHOOK',
    flag: null,
    commands: ['run', 'run batch', 'runs backfill'],
    default: null,
    allowed: 'an http:// or https:// address',
    description:
      'Where intervals of batch jobs that were given up are told of, and what their runs tell, such as hours that are blocked: a POST of JSON, at least once, by an Idempotency-Key that stays the same.',
    secret: true,
  },
  job: {
    read: pipelineName,
    env: null,
    flag: '--job <name>',
    commands: ['runs list', 'runs retry'],
    default: null,
    allowed: 'the name of a batch job',
    description: 'Only runs of this job. Unset: of all.',
  },
  runState: {
    read: oneOf(runStates),
    env: null,
    flag: '--state <state>',
    commands: ['runs list'],
    default: null,
    allowed: runStates.join(', '),
    description: 'Only runs in this state. Unset: in any.',
  },
  backfillWorkers: {
    read: integer(1, 64),
    env: null,
    flag: '--workers <count>',
    commands: ['runs backfill'],
    default: '1',
    allowed: 'a whole number from 1 to 64',
    description: 'Processes that share the intervals, as many at a time as the job says by `parallel`.',
  },
  backfillAgain: {
    read: yesOrNo,
    env: null,
    flag: '--again',
    commands: ['runs backfill'],
    default: 'false',
    allowed: yesOrNoAllowed,
    description: 'Also intervals that are done.',
  },
} as const satisfies Record<string, Setting>
