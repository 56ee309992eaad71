import { z } from 'zod'
import { newestAlerts, standingAlerts } from '../../queries/alertEvents.ts'
import { newestGaps } from '../../queries/feedGaps.ts'
import { readLakeTables } from '../../queries/lakeTables.ts'
import { newestRows } from '../../queries/newestRows.ts'
import { readDifferences } from '../../queries/reconcile.ts'
import { readStatus } from '../../queries/status.ts'
import { route } from '../route.ts'
import { mostRows, ofSchema, poolOf, withClient } from './asked.ts'

const anyRow = z.record(z.string(), z.unknown())
const dataSetSchema = z.object({
  schema: z.string(),
  name: z.string(),
  isSimulated: z.boolean(),
  problem: z.string().nullable(),
  hasCandles: z.boolean(),
})
const alertSchema = z.object({
  rule: z.string(),
  kind: z.string(),
  severity: z.enum(['page', 'ticket', 'info']),
  market: z.string(),
  symbol: z.string(),
  interval: z.string(),
  openTime: z.number(),
  transition: z.enum(['firing', 'resolved', 'noData', 'dataBack', 'flapping', 'corrected']),
  corrects: z.enum(['firing', 'resolved', 'noData', 'dataBack', 'flapping', 'corrected']).nullable(),
  revision: z.number(),
  at: z.number(),
  value: z.string(),
  threshold: z.string(),
  muted: z.number(),
  isComplete: z.boolean(),
  text: z.string(),
})
export const overview = route({
  method: 'GET',
  path: 'api/overview',
  summary: 'The version, the time of the console, and the data sets that there are.',
  query: z.object({}),
  body: null,
  answer: z.object({ version: z.string(), now: z.number(), dataSets: z.array(dataSetSchema).readonly() }),
  handle: async ({ dataSets, version, now }) => ({ version, now: now(), dataSets: await dataSets.look() }),
})

export const pipelines = route({
  method: 'GET',
  path: 'api/pipelines',
  summary:
    'How each pipeline is doing: a verdict, its graph, rates, lag, watermark, tasks; those that want somebody first.',
  query: z.object({}),
  body: null,
  answer: z.object({
    pipelines: z
      .array(z.looseObject({ pipeline: z.string(), verdict: z.object({ level: z.string(), text: z.string() }) }))
      .readonly(),
  }),
  handle: async (context) => ({ pipelines: (await context.pipelines()).map((view) => ({ ...view })) }),
})

export const data = route({
  method: 'GET',
  path: 'api/data',
  summary:
    'What there is of a data set: gaps of feeds, differences to the exchange, archive, lake, logs, messages that wait, what was skipped.',
  query: ofSchema,
  body: null,
  answer: z.object({
    gaps: z.array(anyRow).readonly(),
    differences: z.array(anyRow).readonly(),
    archive: z.array(anyRow).readonly(),
    lake: z.array(anyRow).readonly(),
    logs: z.array(anyRow).readonly(),
    outbox: z.array(anyRow).readonly(),
    skipped: z.array(anyRow).readonly(),
    /** Null where the data set has no such table. */
    quality: z.array(anyRow).readonly(),
    runs: z.array(anyRow).readonly(),
  }),
  handle: async (context, { query }) =>
    withClient(context, query.schema, async (client) => {
      const status = await readStatus(client)
      return {
        gaps: rowsOf(await newestGaps(client, mostRows)),
        differences: rowsOf(await readDifferences(client, mostRows)),
        archive: rowsOf(status.archive),
        lake: rowsOf(await readLakeTables(client)),
        logs: rowsOf(status.logs),
        outbox: rowsOf(status.outbox),
        skipped: rowsOf(status.skipped),
        quality: await newestRows(client, 'quality', mostRows),
        runs: await newestRows(client, 'runs', mostRows),
      }
    }),
})

export const alerts = route({
  method: 'GET',
  path: 'api/alerts',
  summary: 'Alerts that fire or lack data now, and what rules have decided, the newest first. Times are ms UTC.',
  query: ofSchema,
  body: null,
  answer: z.object({ standing: z.array(alertSchema).readonly(), alerts: z.array(alertSchema).readonly() }),
  handle: async (context, { query }) => {
    const pool = poolOf(context, query.schema)
    return {
      standing: (await standingAlerts(pool, mostRows)).map((one) => ({ ...one })),
      alerts: (await newestAlerts(pool, mostRows)).map((one) => ({ ...one })),
    }
  },
})

function rowsOf(rows: readonly object[]): Readonly<Record<string, unknown>>[] {
  return rows.map((row) => ({ ...row }))
}
