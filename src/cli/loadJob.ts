import { definedJobs, definedPipelines } from '../runtime/definedHere.ts'
import type { Job } from '../schedule/job.ts'
import { definedExport, type ExportedKind } from './definedExport.ts'
import { importFile, type ModuleExports } from './importFile.ts'

const jobs: ExportedKind = {
  what: 'job',
  madeBy: 'defineJob',
  defined: definedJobs,
  remark: (value) =>
    typeof value === 'object' && value !== null && 'run' in value && 'name' in value ? ' (not made by defineJob)' : '',
}

/** Whether a module is about a batch job: its default decides, where that is a pipeline or a job. */
export function exportsJob(exports: ModuleExports): boolean {
  if (definedPipelines.makerOf(exports.default) !== null) return false
  return Object.values(exports).some((value) => definedJobs.makerOf(value) !== null)
}

/** The job among the exports of a module. Throws `UsageError` where there is none, or no telling which. */
export function jobIn(exports: ModuleExports, file: string): Job {
  return definedExport(jobs, exports, file)
}

/** The job that a TypeScript or JavaScript file exports. Throws `UsageError` where there is none. */
export async function loadJob(file: string): Promise<Job> {
  return jobIn(await importFile(file), file)
}
