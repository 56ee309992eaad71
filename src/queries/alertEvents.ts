import type pg from 'pg'
import type { AlertEvent } from '../market/alertEvent.ts'
import { unescapeText } from '../sinks/postgres/columnText.ts'

const newest = `SELECT rule, kind, severity, market, symbol, interval, transition, corrects, revision, value, threshold, muted, text,
  (extract(epoch FROM open_time) * 1000)::float8 AS "openTime", (extract(epoch FROM at) * 1000)::float8 AS at,
  is_complete AS "isComplete"
FROM alert_event ORDER BY alert_event.at DESC, rule, symbol, transition, revision DESC LIMIT $1`

/** What alert rules have decided, the newest first. */
export async function newestAlerts(client: pg.Client, limit: number): Promise<readonly AlertEvent[]> {
  const { rows } = await client.query<AlertEvent>(newest, [limit])
  return rows.map((row) => ({ ...row, text: unescapeText(row.text), symbol: unescapeText(row.symbol) }))
}
