// The program of one worker process of a benchmark; `BenchWorker` starts it.
import { enableCompileCache } from 'node:module'
import type { BenchJob, BenchReport } from './workerProcess.ts'

// As the command line does it: a start should not be about stripping types.
enableCompileCache()
const { runBenchWorker } = await import('./runBenchWorker.ts')
const report: BenchReport = await runBenchWorker(JSON.parse(process.argv[2] ?? '') as BenchJob)
process.send?.(report, () => process.exit(0))
