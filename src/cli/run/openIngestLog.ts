import type { LogWriter } from '../../runtime/log.ts'
import type { CommandContext } from '../commandContext.ts'
import { kafkaConnection, kafkaLocation } from './kafkaConnection.ts'
import { openKafkaWriter, prepareTopic } from './openKafka.ts'
import { openLog } from './openLog.ts'
import { prepareDatabase } from './prepareDatabase.ts'
import { openRunDatabase } from './runDatabase.ts'
import type { RunPlan } from './runPlan.ts'
import type { StartWait } from './startWait.ts'

/** Where an ingest appends to, and whether what it brings may be old (`tape`). */
export type IngestTarget = Pick<RunPlan, 'topic' | 'dataSet' | 'source'>

export interface IngestLog {
  readonly writer: LogWriter
  readonly partitions: number
  /** In the topic of Kafka before; 0 in the embedded log, where nobody asks. */
  readonly records: number
  /** For people; holds no secret. */
  readonly location: string
  close(): Promise<void>
}

/** The log that an ingest appends to: the topic in Kafka, made when missing, or the embedded one, which is a database. Waits for one that is away. */
export async function openIngestLog(
  context: CommandContext,
  plan: IngestTarget,
  wait: StartWait,
  onWarning: (line: string) => void,
): Promise<IngestLog> {
  const { settings, origins } = context
  const partitions = origins.partitions === 'default' ? null : settings.partitions
  const kafka = kafkaConnection(settings)
  if (kafka === null) return openEmbedded(context, plan, partitions, wait, onWarning)
  const location = kafkaLocation(kafka)
  const topic = await wait.until(location, () =>
    prepareTopic({ kafka, plan, settings, partitions, isArchived: false, onWarning }),
  )
  const writer = await openKafkaWriter(kafka, plan.topic, wait)
  return {
    writer,
    partitions: topic.partitions,
    records: topic.records,
    location,
    close: () => writer.close(),
  }
}

async function openEmbedded(
  { settings, output }: CommandContext,
  plan: IngestTarget,
  partitions: number | null,
  wait: StartWait,
  onWarning: (line: string) => void,
): Promise<IngestLog> {
  const database = await openRunDatabase(settings, output.err)
  try {
    const { address } = database
    const retentionHours = settings.logRetentionHours
    const log = await wait.until(
      database.location,
      async () => {
        await prepareDatabase(address, plan.dataSet)
        return openLog({ address, plan, partitions, retentionHours, onWarning })
      },
      (late) => late.close(),
    )
    return {
      writer: log.writer,
      partitions: log.partitions,
      records: 0,
      location: database.location,
      close: async () => {
        await log.close()
        await database.close()
      },
    }
  } catch (error) {
    await database.close()
    throw error
  }
}
