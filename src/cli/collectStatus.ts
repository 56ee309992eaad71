import { dirname, join, resolve } from 'node:path'
import type pg from 'pg'
import { archiveLocation } from '../host/openArchive.ts'
import { runningProcesses } from '../host/processSlots.ts'
import { type RunReport, readRunReport } from '../host/runReport.ts'
import type { DataSetStatus, InputStatus } from '../queries/status.ts'
import { readStatus } from '../queries/status.ts'
import { RetryableError } from '../runtime/errors.ts'
import type { CommandContext } from './commandContext.ts'
import { databaseExists, dataSetName, withDatabase } from './database.ts'
import { describeFailure } from './exit.ts'
import { type KafkaStatus, readKafkaStatus, withLogEnd } from './kafkaStatus.ts'
import { eachSchema } from './schemas.ts'
import { version } from './version.ts'

/** What runs on a data folder and what its database tells. */
export interface Status {
  readonly version: string
  readonly dataDir: string
  readonly database: string | null
  /** Why the database could not be asked and what to do, or null. */
  readonly databaseProblem: string | null
  readonly archive: string
  readonly running: Running | null
  /** What else runs on the data folder: other pipelines, an ingest, named workers. */
  readonly others: readonly Running[]
  /** null without `KAFKA_BROKERS`. */
  readonly kafka: KafkaStatus | null
  readonly dataSets: readonly NamedStatus[]
}

/** A data set with its name. */
export interface NamedStatus extends DataSetStatus {
  /** As people call it. */
  readonly name: string
  readonly schema: string
}

/** A process of the data folder. */
export interface Running {
  readonly pid: number
  readonly host: string
  /** Of the data folder: `pipelines/NAME` or the like. */
  readonly folder: string
  /** null until the process has reported for the first time. */
  readonly report: RunReport | null
}

/**
 * Looks at all of it once. Where the database does not answer it says so, and has the rest.
 * @param onEach looks at more of each schema
 */
export async function collectStatus(
  context: CommandContext,
  onEach: (client: pg.Client, schema: string) => Promise<void> = async () => undefined,
): Promise<Status> {
  const { settings, output } = context
  const head = {
    version: version(),
    dataDir: resolve(settings.dataDir),
    archive: archiveLocation(settings.archive, settings.dataDir),
    ...runningOn(settings.dataDir),
    databaseProblem: null,
  }
  if (!databaseExists(settings))
    return {
      ...head,
      database: null,
      dataSets: [],
      kafka: await readKafkaStatus(settings, { leading: [], others: [] }),
    }
  try {
    return await withDatabase(settings, output.err, async (database) => {
      const dataSets = await eachSchema(database, settings.onlySchema, async (client, schema) => {
        await onEach(client, schema)
        return { name: dataSetName(schema), schema, ...(await readStatus(client)) }
      })
      const tasks = dataSets.flatMap((one) => one.tasks)
      const kafka = await readKafkaStatus(settings, {
        leading: tasks.filter(({ logEnd }) => logEnd === null),
        others: elsewhere(tasks.flatMap(({ inputs }) => inputs)),
      })
      return {
        ...head,
        database: database.location,
        kafka,
        dataSets: dataSets.map((one) => ({ ...one, tasks: one.tasks.map((task) => withLogEnd(task, kafka)) })),
      }
    })
  } catch (error) {
    if (!(error instanceof RetryableError)) throw error
    return { ...head, database: 'does not answer', databaseProblem: describeFailure(error), dataSets: [], kafka: null }
  }
}

/** The topics that the embedded log does not have. */
function elsewhere(inputs: readonly Pick<InputStatus, 'topic' | 'logEnd'>[]): readonly string[] {
  return inputs.filter(({ logEnd }) => logEnd === null).map(({ topic }) => topic)
}

function runningOn(dataDir: string): Pick<Status, 'running' | 'others'> {
  const all = runningProcesses(dataDir).map(({ folder, holder: { pid, host } }) => ({
    isMain: dirname(folder) === join(resolve(dataDir), 'pipelines'),
    process: { pid, host, folder, report: readRunReport(folder, pid) },
  }))
  const main = all.find(({ isMain }) => isMain)
  return {
    running: main?.process ?? null,
    others: all.filter((one) => one !== main).map(({ process }) => process),
  }
}
