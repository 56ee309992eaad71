// The program of one worker process of a benchmark; `BenchWorker` starts it.
import { runBenchWorker } from './runBenchWorker.ts'
import type { BenchJob, BenchReport } from './workerProcess.ts'

const report: BenchReport = await runBenchWorker(JSON.parse(process.argv[2] ?? '') as BenchJob)
process.send?.(report, () => process.exit(0))
