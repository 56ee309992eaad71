import { tradeCodec } from '../../src/market/tradeCodec.ts'
import { realtime } from '../../src/pipelines/realtime.ts'
import { systemClock } from '../../src/runtime/clock.ts'
import type { StopMode } from '../../src/runtime/worker/stopMode.ts'
import { Worker } from '../../src/runtime/worker/worker.ts'
import { rawArchive } from '../../src/sinks/archive/rawArchive.ts'
import { directoryStore } from '../../src/sinks/objects/directoryStore.ts'
import { PostgresCheckpointStore } from '../../src/sinks/postgres/checkpointStore.ts'
import { kafkaSettings } from '../../src/sources/kafka/kafkaSettings.ts'
import { openKafkaLog } from '../../src/sources/kafka/openKafkaLog.ts'
import { peakRssMb } from '../measure/peakRss.ts'
import { benchPipeline } from './benchPipeline.ts'
import type { CpuSample } from './cost.ts'
import { watchMoments } from './moments.ts'
import { wallClock } from './schedule.ts'
import type { BenchJob, BenchReport } from './workerProcess.ts'

const sampleEveryMs = 50
const tasks = 4

/** Works until the parent says that it is enough. */
export async function runBenchWorker(job: BenchJob): Promise<BenchReport> {
  const { brokers, client, instanceId, topic, group, checkpointMs, provisionalEveryMs } = job
  const settings = kafkaSettings({ brokers: [...brokers], client, ...(client === 'wire' ? { instanceId } : {}) })
  const source = await openKafkaLog(settings, { topic, group })
  const store = new PostgresCheckpointStore(job.connection, { schema: job.schema, maxConnections: tasks })
  const moments = job.tellsMoments === true ? watchMoments(source, store) : undefined
  const codec = tradeCodec({ market: 'spot', timeUnit: 'ms' })
  const worker = new Worker({
    pipeline: job.pipeline === 'bench' ? benchPipeline : realtime(codec, { provisionalEveryMs }),
    source,
    store,
    archive: job.archive === null ? null : rawArchive({ store: directoryStore(job.archive) }),
    clock: systemClock,
    limits: { checkpointIntervalMs: checkpointMs },
  })
  const commitMs: number[] = []
  const cpu: CpuSample[] = []
  const sampling = setInterval(() => {
    cpu.push({ at: wallClock(), seconds: cpuSeconds() })
    for (const task of worker.status()) if (task.commits > 0) commitMs.push(task.commitMs)
  }, sampleEveryMs)
  process.on('message', (mode: StopMode) => worker.stop(mode))
  await worker.run()
  clearInterval(sampling)
  await source.close()
  await store.close()
  return {
    cpuSeconds: cpuSeconds(),
    peakRssMb: peakRssMb(),
    commitMs: commitMs.sort((a, b) => a - b),
    ...(moments === undefined ? {} : { moments }),
    cpu,
  }
}

function cpuSeconds(): number {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1e6
}
