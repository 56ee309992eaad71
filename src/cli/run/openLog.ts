import { EmbeddedLog } from '../../embedded/log/embeddedLog.ts'
import type { LogSource, LogWriter } from '../../runtime/log.ts'
import { openPool, type PostgresAddress } from '../../sinks/postgres/connection.ts'
import { keepRetention } from './logRetention.ts'
import type { RunPlan } from './runPlan.ts'

export interface OpenedLog {
  readonly source: LogSource
  readonly writer: LogWriter
  readonly partitions: number
  close(): Promise<void>
}

export interface OpenLogOptions {
  readonly address: PostgresAddress
  readonly plan: Pick<RunPlan, 'topic' | 'dataSet'>
  /** Of a topic that is made now; null takes what an existing one has. */
  readonly partitions: number | null
  readonly retentionHours: number
  /** One line on what went wrong beside the pipeline and will be tried again. */
  readonly onWarning: (line: string) => void
}

/** The embedded log of a run, with its retention at work while it is open. */
export async function openLog(options: OpenLogOptions): Promise<OpenedLog> {
  const { address, plan, partitions: wanted } = options
  const pool = openPool(address, {
    schema: plan.dataSet,
    applicationName: 'millrace log',
    maxConnections: (wanted ?? 4) + 2,
  })
  try {
    const log = await EmbeddedLog.open({ pool, topic: plan.topic, ...(wanted === null ? {} : { partitions: wanted }) })
    const retention = keepRetention(pool, options.retentionHours * 3_600_000, options.onWarning)
    const writer = log.writer()
    return {
      source: log,
      writer,
      partitions: (await log.partitions()).length,
      close: async () => {
        await retention.stop()
        await writer.close()
        await log.close()
        await pool.end()
      },
    }
  } catch (error) {
    await pool.end()
    throw error
  }
}

/** A writer to an existing or new topic, which closes its connections with it. */
export async function openLogWriter(address: PostgresAddress, schema: string, topic: string): Promise<LogWriter> {
  const pool = openPool(address, { schema, applicationName: 'millrace redrive', maxConnections: 1 })
  try {
    const log = await EmbeddedLog.open({ pool, topic })
    const writer = log.writer()
    return {
      claim: (producer) => writer.claim(producer),
      append: (records, position) => writer.append(records, position),
      close: async () => {
        await writer.close()
        await log.close()
        await pool.end()
      },
    }
  } catch (error) {
    await pool.end()
    throw error
  }
}
