import './runtime/checkNode.ts'

export {
  defineJob,
  type Job,
  type JobContext,
  type JobCounts,
  type JobInterval,
  type JobOptions,
} from './schedule/job.ts'
export type { RunFailure } from './schedule/ledger.ts'
export { runSchedule, type ScheduleEnd, type ScheduleSettings } from './schedule/runSchedule.ts'
