import type { LogWriter } from '../../runtime/log.ts'
import type { CommandContext } from '../commandContext.ts'
import type { Cleanup } from './cleanup.ts'
import { groupOf, kafkaConnection, kafkaLocation, workerIdOf } from './kafkaConnection.ts'
import { checkLogKind } from './logKind.ts'
import { archiveLocation, openArchive } from './openArchive.ts'
import { openKafkaSource, openKafkaWriter, prepareTopic, reclaimAfterMs } from './openKafka.ts'
import { openLog } from './openLog.ts'
import { prepareDatabase } from './prepareDatabase.ts'
import { type RealtimeWorker, realtimeWorker } from './realtimeWorker.ts'
import type { RunDatabase } from './runDatabase.ts'
import type { RunPlan } from './runPlan.ts'
import type { StartWait } from './startWait.ts'
import { WorkerPool } from './workerPool.ts'

export interface OpenWorkerOptions {
  readonly context: CommandContext
  readonly plan: RunPlan
  readonly database: RunDatabase
  /** Called before anything that takes a moment, with words for people on where things are kept. */
  readonly onStart: (places: { readonly archive: string; readonly log: string | null }) => void
  /** For a database or a broker that is away. */
  readonly wait: StartWait
  readonly onWarning: (line: string) => void
  /** Gets what is to be closed. */
  readonly cleanup: Cleanup
}

export interface OpenedWorker {
  readonly worker: RealtimeWorker
  /** null where the run takes nothing in. */
  readonly writer: LogWriter | null
  readonly partitions: number
}

/** The log and what works on it: the embedded log and one worker in this process, or Kafka and as many workers as are asked for. */
export async function openWorker(options: OpenWorkerOptions): Promise<OpenedWorker> {
  const { settings, origins } = options.context
  const partitions = origins.partitions === 'default' ? null : settings.partitions
  return settings.kafkaBrokers === undefined ? openEmbedded(options, partitions) : openKafka(options, partitions)
}

async function openEmbedded(options: OpenWorkerOptions, partitions: number | null): Promise<OpenedWorker> {
  const { context, plan, database, wait, onWarning, cleanup } = options
  const { settings } = context
  const { address } = database
  const archive = await archiveOf(options)
  options.onStart({ archive: archive?.store.location ?? 'none', log: null })
  const retentionHours = settings.logRetentionHours
  const log = await wait.until(
    database.location,
    async () => {
      await prepareDatabase(address, plan.dataSet, (pool) => checkLogKind(pool, plan.topic, 'embedded'))
      return openLog({ address, plan, partitions, retentionHours, onWarning })
    },
    (late) => late.close(),
  )
  cleanup.add(() => log.close())
  const worker = realtimeWorker({
    plan,
    source: log.source,
    archive: archive?.archive ?? null,
    address,
    checkpointMs: settings.checkpointMs,
    openCandleMs: settings.openCandleMs,
    reclaimAfterMs: null,
  })
  return { worker, writer: plan.source === 'none' ? null : log.writer, partitions: log.partitions }
}

async function openKafka(options: OpenWorkerOptions, wanted: number | null): Promise<OpenedWorker> {
  const { context, plan, database, wait, onWarning, cleanup } = options
  const { settings, env } = context
  const { address } = database
  const { checkpointMs, openCandleMs, workers } = settings
  const id = workerIdOf(settings)
  const group = groupOf(settings, plan.topic)
  const kafka = kafkaConnection(settings, id)
  if (kafka === null) throw new Error('bug: Kafka without brokers')
  const archive = workers === 1 ? await archiveOf(options) : null
  options.onStart({
    archive: archive?.store.location ?? archiveLocation(settings),
    log: `${kafkaLocation(kafka)}, group ${group}, worker ${id}${workers === 1 ? '' : `-1 to ${id}-${workers}`}`,
  })
  const isArchived = settings.archive !== 'none'
  await wait.until(database.location, () =>
    prepareDatabase(address, plan.dataSet, (pool) => checkLogKind(pool, plan.topic, 'kafka')),
  )
  const brokers = kafkaLocation(kafka)
  const { partitions } = await wait.until(brokers, () =>
    prepareTopic({ kafka, plan, settings, partitions: wanted, isArchived, onWarning }),
  )
  const writer = plan.source === 'none' ? null : await openKafkaWriter(kafka, plan.topic, wait)
  if (writer !== null) cleanup.add(() => writer.close())
  if (workers > 1) {
    const { archive: place, dataDir, s3PathStyle } = settings
    const job = {
      plan,
      group,
      address,
      archive: { archive: place, dataDir, s3PathStyle },
      env: Object.fromEntries(Object.entries(env).filter(([name]) => name.startsWith('AWS_'))),
      checkpointMs,
      openCandleMs,
    }
    const jobs = Array.from({ length: workers }, (_, index) => {
      const instanceId = `${id}-${index + 1}`
      return { id: instanceId, job: { ...job, kafka: { ...kafka, instanceId } } }
    })
    return { worker: new WorkerPool({ jobs, onNotice: onWarning }), writer, partitions }
  }
  const source = await openKafkaSource(kafka, { topic: plan.topic, group }, wait)
  cleanup.add(() => source.close())
  const worker = realtimeWorker({
    plan,
    source,
    archive: archive?.archive ?? null,
    address,
    checkpointMs,
    openCandleMs,
    reclaimAfterMs: reclaimAfterMs(kafka),
  })
  return { worker, writer, partitions }
}

async function archiveOf({ context, plan, onWarning, cleanup }: OpenWorkerOptions) {
  const archive = await openArchive(context.settings, plan.dataSet, context.env, (text) =>
    onWarning(`warning: ${text}`),
  )
  if (archive !== null) cleanup.add(() => archive.store.close())
  return archive
}
