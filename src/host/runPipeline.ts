import type { Feed } from '../runtime/log/feed.ts'
import type { StartFrom } from '../runtime/log/startFrom.ts'
import type { Pipeline } from '../runtime/pipeline/pipeline.ts'
import type { WorkerLimitOptions } from '../runtime/task/workerLimits.ts'
import { type KafkaSettingsInput, kafkaSettings } from '../sources/kafka/kafkaSettings.ts'
import type { DefinedFeed } from '../sources/ownFeed/defineFeed.ts'
import { checkRunSettings } from './checkRunSettings.ts'
import type { HostSettings } from './hostSettings.ts'
import type { RunFeed } from './pipelineRun.ts'
import type { RunView } from './runSession.ts'
import type { RunStatus } from './runStatus.ts'
import { type RunTopic, topicsOf } from './runTopic.ts'
import { type S3Access, s3Access } from './s3Access.ts'
import { stopOn } from './shutdown.ts'

/** A feed, and the topic that it fills. */
export interface FeedInto {
  /** Where the records come from. */
  readonly feed: Feed
  /** The feed's own where it names one, else the topic that leads, unless told otherwise; it need not be one that the pipeline reads. */
  readonly topic?: string
  /** In whose name the position is kept: one for each feed of a topic. The feed's own name unless told otherwise. */
  readonly producer?: string
}

/** How `runPipeline` runs a pipeline. All of it may be left out: then log, state and rows are in a PostgreSQL of the folder `.millrace`. */
export interface RunPipelineSettings {
  /** Holds the embedded database, the archive directory and the lock of the run; made where it is missing. `./.millrace` unless told otherwise. */
  readonly dataDir?: string
  /** `postgres://user:password@host:port/database` instead of the embedded one. */
  readonly databaseUrl?: string
  /** Of rows, checkpoints and the embedded log; made and migrated where that is needed. `public` unless told otherwise. */
  readonly schema?: string
  /** Apache Kafka as the log instead of the embedded one. */
  readonly kafka?: KafkaSettingsInput
  /** Consumer group that shares the partitions; `millrace.PIPELINE.TOPIC` unless told otherwise. */
  readonly group?: string
  /** Who this worker is in its group, the same after a restart; made of the host and the data folder unless told otherwise. */
  readonly workerId?: string
  /** What a pipeline without `inputs` reads. */
  readonly topic?: string
  /** Of topics that are made now; those that are there must have as many. Left out, what is there counts, and 4 where nothing is. */
  readonly partitions?: number
  /** Where outlets made by `toArchive` keep raw records: `directory` (of the data folder, if left out), `none` or `s3://bucket/prefix`. */
  readonly archive?: 'directory' | 'none' | `s3://${string}`
  /** How to reach the bucket; left out, the standard variables of AWS say it. */
  readonly s3?: S3Access
  /** Where a pipeline begins to read that never ran: `earliest` if left out, `latest`, a time (ms UTC) or an offset. A pipeline that has run is refused. */
  readonly from?: StartFrom
  /** Fill topics while the pipeline runs. */
  readonly feed?: Feed | FeedInto | readonly (Feed | FeedInto)[]
  /** Ends once the feeds, and what the topics hold by then, are committed. False: runs until the signal fires. */
  readonly untilEnd?: boolean
  /** With `untilEnd`: fires the windows that are still open at the end. */
  readonly closeOpen?: boolean
  /** Ends the run cleanly: what is read is committed first. */
  readonly signal?: AbortSignal
  /** How much may be held, and how often a checkpoint is cut. */
  readonly limits?: WorkerLimitOptions
  /** Told once a second how the run is doing. */
  readonly onStatus?: (status: RunStatus) => void
  /** Told one line on what is waited for, was made, or went wrong and will be tried again. */
  readonly onNotice?: (line: string) => void
}

/** How a run came to its end, and what it did. */
export interface RunSummary {
  /** `committed`: the feeds and the topics came to an end and all of it is stored. `stopped`: the next run goes on from here. */
  readonly end: 'committed' | 'stopped'
  /** Committed by this run, of all inputs. */
  readonly records: number
  /** Rows that were written, by outlet. */
  readonly rows: Readonly<Record<string, number>>
  /** Messages that were stored to be sent, by outlet. */
  readonly messages: Readonly<Record<string, number>>
  /** Records and values that were set aside. */
  readonly deadLetters: number
}

/** How long the embedded log keeps what is read, and Kafka what is in a topic that is made. */
const logRetentionHours = 24
const kafkaRetentionHours = 168
const statusEveryMs = 1_000

/**
 * Runs a pipeline in this process, as `millrace run FILE` does: makes topics and tables that are missing, reads, and commits exactly once, until the signal fires or, with
 * `untilEnd`, all is committed. Run again, it goes on where it was.
 *
 * Waits for a database or brokers that are away, and says so. Installs no signal handler and prints nothing. One run of a pipeline at a time on a data folder, and any
 * number of pipelines.
 * @throws ConfigurationError, StateMismatchError and the other errors of Millrace, which say what to do
 */
export async function runPipeline(pipeline: Pipeline, settings: RunPipelineSettings = {}): Promise<RunSummary> {
  checkRunSettings(settings)
  const { untilEnd = false, closeOpen = false, signal = new AbortController().signal } = settings
  const host = hostSettingsOf(settings)
  const topics = topicsOf(pipeline, settings.topic)
  // Imported here because whoever only defines pipelines should not wait for a database driver.
  const { runSession } = await import('./runSession.ts')
  const ended = await runSession({
    name: pipeline.name,
    place: host,
    job: async () => ({
      pipeline,
      topics,
      feeds: feedsOf(settings.feed, topics),
      settings: host,
      processes: null,
      source: pipeline.name,
    }),
    untilEnd,
    closeOpen,
    stopRequest: stopOn(signal),
    view: programView(settings),
  })
  if (ended === null) return { end: 'stopped', records: 0, rows: {}, messages: {}, deadLetters: 0 }
  const { end, totals, outlets } = ended
  const countsOf = (wanted: 'rows' | 'messages') =>
    Object.fromEntries(outlets.filter(({ kind }) => kind === wanted).map(({ outlet, count }) => [outlet, count]))
  return {
    end,
    records: totals.records,
    rows: countsOf('rows'),
    messages: countsOf('messages'),
    deadLetters: totals.deadLetters,
  }
}

function hostSettingsOf(settings: RunPipelineSettings): HostSettings {
  const { dataDir = './.millrace', schema = 'public', archive = 'directory' } = settings
  return {
    dataDir,
    databaseUrl: settings.databaseUrl,
    schema,
    kafka: settings.kafka === undefined ? null : kafkaSettings(settings.kafka),
    group: settings.group,
    workerId: settings.workerId,
    topics: { partitions: settings.partitions ?? null, logRetentionHours, kafkaRetentionHours, kafkaReplication: null },
    archive: { place: archive, s3: settings.s3 ?? s3Access(process.env) },
    startFrom: settings.from ?? null,
    limits: settings.limits ?? {},
  }
}

function feedsOf(given: RunPipelineSettings['feed'], topics: readonly RunTopic[]): readonly RunFeed[] {
  const list = given === undefined ? [] : isList(given) ? given : [given]
  return list.map((one) => {
    const into: FeedInto = 'feed' in one ? one : { feed: one }
    const topic = into.topic ?? (namesTopic(into.feed) ? into.feed.topic.name : topics[0]?.name) ?? ''
    return { feed: into.feed, topic, producer: into.producer ?? into.feed.name, isOfThePast: false }
  })
}

function namesTopic(feed: Feed): feed is DefinedFeed {
  return 'topic' in feed
}

function isList(given: NonNullable<RunPipelineSettings['feed']>): given is readonly (Feed | FeedInto)[] {
  return Array.isArray(given)
}

function programView({ onStatus, onNotice }: RunPipelineSettings): RunView {
  let telling: NodeJS.Timeout | undefined
  const say = (line: string) => onNotice?.(line)
  return {
    say,
    progress: say,
    starting: () => undefined,
    begin: async ({ status }) => {
      if (onStatus !== undefined) telling = setInterval(() => onStatus(status()), statusEveryMs)
    },
    stopping: () => undefined,
    ended: async () => undefined,
    close: async () => clearInterval(telling),
  }
}
