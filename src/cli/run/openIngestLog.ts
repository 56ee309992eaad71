import type { LogWriter } from '../../runtime/log.ts'
import { openPool } from '../../sinks/postgres/connection.ts'
import { migrate } from '../../sinks/postgres/migrate.ts'
import type { CommandContext } from '../commandContext.ts'
import { kafkaConnection } from './kafkaConnection.ts'
import { openKafkaWriter, prepareTopic } from './openKafka.ts'
import { openLog } from './openLog.ts'
import { openRunDatabase } from './runDatabase.ts'
import type { RunPlan } from './runPlan.ts'

export interface IngestLog {
  readonly writer: LogWriter
  readonly partitions: number
  /** For people; holds no secret. */
  readonly location: string
  close(): Promise<void>
}

/** The log that an ingest appends to: the topic in Kafka, made when missing, or the embedded one, which is a database. */
export async function openIngestLog(
  context: CommandContext,
  plan: RunPlan,
  onWarning: (line: string) => void,
): Promise<IngestLog> {
  const { settings, origins } = context
  const partitions = origins.partitions === 'default' ? null : settings.partitions
  const kafka = kafkaConnection(settings)
  if (kafka === null) return openEmbedded(context, plan, partitions, onWarning)
  const topic = await prepareTopic({ kafka, plan, settings, partitions, isArchived: false, onWarning })
  if (plan.source === 'tape' && topic.records > 0) {
    onWarning(
      `warning: ${plan.topic} holds ${topic.records} records. Trades of a tape that are older than those become late; --topic NAME keeps a tape apart.`,
    )
  }
  const writer = await openKafkaWriter(kafka, plan.topic)
  return {
    writer,
    partitions: topic.partitions,
    location: `Kafka at ${kafka.brokers.join(', ')}`,
    close: () => writer.close(),
  }
}

async function openEmbedded(
  { settings, output }: CommandContext,
  plan: RunPlan,
  partitions: number | null,
  onWarning: (line: string) => void,
): Promise<IngestLog> {
  const database = await openRunDatabase(settings, output.err)
  try {
    const pool = openPool(database.address, { schema: plan.dataSet, maxConnections: 1 })
    await migrate(pool, plan.dataSet).finally(() => pool.end())
    const retentionHours = settings.logRetentionHours
    const log = await openLog({ address: database.address, plan, partitions, retentionHours, onWarning })
    return {
      writer: log.writer,
      partitions: log.partitions,
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
