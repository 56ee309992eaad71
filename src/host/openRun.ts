import type pg from 'pg'
import type { ObjectStore } from '../runtime/objectStore.ts'
import type { Pipeline } from '../runtime/pipeline/pipeline.ts'
import { taskCount } from '../runtime/pipeline/wholeInputs.ts'
import { requireFirstStart } from '../sinks/postgres/firstStart.ts'
import { takeTables } from '../sinks/postgres/rowWriters.ts'
import type { Cleanup } from './cleanup.ts'
import { openEmbeddedTopics } from './embeddedTopics.ts'
import type { HostSettings } from './hostSettings.ts'
import { groupOf, kafkaLocation, workerIdOf } from './kafkaPlace.ts'
import { kafkaOutgoingTopics, prepareTopics } from './kafkaTopics.ts'
import { type KafkaWork, openKafkaWorker } from './kafkaWorker.ts'
import { checkLogKind } from './logKind.ts'
import { type ArchiveSettings, archiveLocation, noArchive, openArchive } from './openArchive.ts'
import type { OpenedTopic } from './openedTopic.ts'
import { type OutletPlan, outletPlanOf } from './outletPlan.ts'
import { ownArchive } from './ownArchive.ts'
import type { PipelineModule } from './pipelineModule.ts'
import { type OpenedFeed, PipelineRun, type RunFeed } from './pipelineRun.ts'
import { pipelineWorker } from './pipelineWorker.ts'
import { plainArchive, plainKafka } from './plainConnections.ts'
import { prepareDatabase } from './prepareDatabase.ts'
import type { RunDatabase } from './runDatabase.ts'
import { namesApart, type RunTopic } from './runTopic.ts'
import { requireFitTopic } from './simulatedTopic.ts'
import { Spans } from './spans.ts'
import type { StartWait } from './startWait.ts'
import { tracedTopics } from './tracedPorts.ts'
import { WorkerPool } from './workerPool.ts'

/** A pipeline, and what it is run on and with. */
export interface RunJob {
  readonly pipeline: Pipeline
  /** Of the inputs, the leading one first. */
  readonly topics: readonly RunTopic[]
  readonly feeds: readonly RunFeed[]
  readonly settings: HostSettings
  /** So many processes on Kafka that make the pipeline each for itself; null for one worker in this process. */
  readonly processes: { readonly count: number; readonly pipeline: PipelineModule } | null
  /** For people: where the records come from. */
  readonly source: string
}

/** Where a run has what it keeps, in words for people; no secrets. */
export interface RunPlaces {
  readonly database: string
  readonly archive: string
  /** Null for the embedded log, which is in the database. */
  readonly log: string | null
}

export interface OpenRunOptions {
  readonly job: RunJob
  readonly database: RunDatabase
  /** Fires when the database is given up. */
  readonly lost: AbortSignal
  /** Called before anything that takes a moment. */
  readonly onStart: (places: RunPlaces) => void
  /** For a database or a broker that is away. */
  readonly wait: StartWait
  readonly onWarning: (line: string) => void
  /** Gets what is to be closed. */
  readonly cleanup: Cleanup
}

/**
 * Prepares database, topics and tables, and opens what works on them: the embedded log and one worker in this process, or Kafka and as many workers as are asked
 * for. Throws `ConfigurationError` on what does not fit, with what to do.
 */
export function openRun(options: OpenRunOptions): Promise<PipelineRun> {
  const { kafka } = options.job.settings
  for (const { feed, topic } of options.job.feeds) requireFitTopic(feed, topic)
  const plain = kafka === null ? null : plainKafka(kafka)
  if (plain !== null) warnBy(options.onWarning)(plain)
  return kafka === null ? openEmbedded(options) : openOnKafka(options)
}

async function openEmbedded(options: OpenRunOptions): Promise<PipelineRun> {
  const { job, database, lost, wait, onWarning, cleanup } = options
  const { pipeline, settings } = job
  const { address, location } = database
  const { schema, startFrom, limits } = settings
  const plan = outletPlanOf(pipeline)
  const archive = await openArchive(archiveOf(settings, plan), settings.dataDir, schema, warnBy(onWarning))
  if (archive !== null) cleanup.add(() => archive.store.close())
  options.onStart({ database: location, archive: archive?.store.location ?? 'none', log: null })
  const topics = await wait.until(
    location,
    async () => {
      await prepare(options, plan, 'embedded')
      const isFilled = (topic: string) => job.feeds.some((feed) => feed.topic === topic)
      return openEmbeddedTopics({
        address,
        schema,
        topics: job.topics.map(({ name }) => name),
        mustBeThere: job.topics.filter(({ name, isTold }) => isTold && !isFilled(name)).map(({ name }) => name),
        apart: namesApart(job.topics),
        settings: settings.topics,
        lost,
        onWarning,
      })
    },
    (late) => late.close(),
  )
  cleanup.add(() => topics.close())
  if (archive !== null) await makeArchiveOwn(options, plan, archive.store)
  const { partitions } = topics
  const spans = await Spans.find()
  const openTopic = tracedTopics(spans, topics.openTopic, 'millrace')
  const worker = pipelineWorker({
    pipeline,
    sources: topics.sources,
    openTopic,
    archive: archive?.archive ?? null,
    address,
    lost,
    schema,
    startFrom,
    limits,
    spans,
    log: { system: 'millrace' },
    reclaimAfterMs: null,
  })
  const feeds = await openFeeds(options, location, openTopic)
  return new PipelineRun({ feeds, worker, ends: plan.ends, topic: leadOf(job), tasks: taskCount(pipeline, partitions) })
}

async function openOnKafka(options: OpenRunOptions): Promise<PipelineRun> {
  const { job, database, wait, onWarning, cleanup } = options
  const { pipeline, topics, settings, processes } = job
  const { address } = database
  const plan = outletPlanOf(pipeline)
  const archive = archiveOf(settings, plan)
  const id = workerIdOf(settings)
  const topic = leadOf(job)
  const group = groupOf(settings.group, pipeline.name, topic)
  if (settings.kafka === null) throw new Error('bug: Kafka without brokers')
  const kafka = { ...settings.kafka, instanceId: id }
  const brokers = kafkaLocation(kafka)
  options.onStart({
    database: database.location,
    archive: archiveLocation(archive.place, settings.dataDir),
    log: `${brokers}, group ${group}, worker ${id}${processes === null ? '' : `-1 to ${id}-${processes.count}`}`,
  })
  await wait.until(database.location, () => prepare(options, plan, 'kafka'))
  const isArchived = archive.place !== 'none'
  const opened = await openArchive(archive, settings.dataDir, settings.schema, warnBy(onWarning))
  if (opened !== null) {
    cleanup.add(() => opened.store.close())
    await makeArchiveOwn(options, plan, opened.store)
  }
  const fed = new Set(job.feeds.map((feed) => feed.topic))
  const wanted = topics.map((one) => (fed.has(one.name) ? { ...one, mayBeMade: true } : one))
  const { partitions } = await wait.until(brokers, () =>
    prepareTopics({ kafka, topics: wanted, settings: settings.topics, isArchived, onWarning }),
  )
  const openTopic = kafkaOutgoingTopics(kafka, settings.topics, partitions, warnBy(onWarning))
  const feeds = await openFeeds(options, brokers, tracedTopics(await Spans.find(), openTopic, 'kafka'))
  const { dataDir, schema, startFrom, limits } = settings
  const work: KafkaWork = {
    kafka,
    group,
    topics: topics.map(({ name }) => name),
    partitions,
    address,
    settings: { dataDir, schema, topics: settings.topics, archive, startFrom, limits },
  }
  const parts = { feeds, ends: plan.ends, topic, tasks: taskCount(pipeline, partitions) }
  if (processes !== null) {
    const jobs = Array.from({ length: processes.count }, (_, index) => {
      const instanceId = `${id}-${index + 1}`
      return { id: instanceId, job: { ...work, pipeline: processes.pipeline, kafka: { ...kafka, instanceId } } }
    })
    return new PipelineRun({ ...parts, worker: new WorkerPool({ jobs, onNotice: onWarning }) })
  }
  const worker = await openKafkaWorker(pipeline, work, wait, warnBy(onWarning), cleanup, options.lost)
  return new PipelineRun({ ...parts, worker })
}

function prepare(
  { job, database, onWarning }: OpenRunOptions,
  { tables, followed }: OutletPlan,
  kind: 'kafka' | 'embedded',
): Promise<void> {
  const { pipeline, settings, topics } = job
  const { schema } = settings
  const check = async (pool: pg.Pool) => {
    if (settings.startFrom !== null) await requireFirstStart(pool, pipeline.name)
    for (const { name } of topics) await checkLogKind(pool, name, kind)
  }
  return prepareDatabase(database.address, schema, tables, check, async (pool) => {
    const { startFrom } = settings
    const beginsInside = startFrom !== null && startFrom !== 'earliest'
    const writer = { pipeline: pipeline.name, topic: leadOf(job), beginsInside }
    for (const told of await takeTables(pool, schema, writer, tables)) onWarning(`note: ${told}`)
    if (followed.length === 0) return
    // With it comes what writes Parquet, which most runs do not need.
    const { followInLake } = await import('../lake/lakeMirror.ts')
    for (const one of followed) await followInLake(pool, one)
  })
}

async function openFeeds(
  { job, wait, cleanup }: OpenRunOptions,
  location: string,
  openTopic: (topic: string) => Promise<OpenedTopic>,
): Promise<readonly OpenedFeed[]> {
  const opened: OpenedFeed[] = []
  for (const feed of job.feeds) {
    const { writer, partitions } = await wait.until(
      location,
      () => openTopic(feed.topic),
      (late) => late.writer.close(),
    )
    cleanup.add(() => writer.close())
    opened.push({ ...feed, writer, partitions })
  }
  return opened
}

/** Where the raw records go, if the pipeline keeps any. */
function archiveOf({ archive }: HostSettings, { archivedInputs }: OutletPlan): ArchiveSettings {
  return archivedInputs.length > 0 ? archive : noArchive
}

/** Waits for a store that is away. */
async function makeArchiveOwn(
  options: OpenRunOptions,
  { archivedInputs }: OutletPlan,
  store: ObjectStore,
): Promise<void> {
  const { job, database, wait, onWarning } = options
  const { pipeline, settings } = job
  const topics = job.topics.filter((_, input) => archivedInputs.includes(input)).map(({ name }) => name)
  const warn = warnBy(onWarning)
  const plain = plainArchive(settings.archive)
  if (plain !== null) warn(plain)
  await wait.until(`the archive at ${store.location}`, () =>
    ownArchive({ store, pipeline: pipeline.name, topics, database, settings, onWarning: warn }),
  )
}

function leadOf({ topics }: RunJob): string {
  const [lead] = topics
  if (lead === undefined) throw new Error('bug: a run without a topic')
  return lead.name
}

function warnBy(onWarning: (line: string) => void): (text: string) => void {
  return (text) => onWarning(`warning: ${text}`)
}
