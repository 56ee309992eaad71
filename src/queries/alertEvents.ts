import type pg from 'pg'
import type { AlertEvent } from '../market/alertEvent.ts'
import { unescapeText } from '../sinks/postgres/columnText.ts'

const columns = `rule, kind, severity, market, symbol, interval, transition, corrects, revision, value, threshold, muted, text,
  (extract(epoch FROM open_time) * 1000)::float8 AS "openTime", (extract(epoch FROM at) * 1000)::float8 AS at,
  is_complete AS "isComplete"`

const newest = `SELECT ${columns}
FROM alert_event ORDER BY alert_event.at DESC, rule, symbol, transition, revision DESC LIMIT $1`

// Skips from one alert to the next through the primary key. What fires and whether data are missing are two things, and what was corrected does not count.
const standing = `
WITH RECURSIVE alert AS (
  (SELECT rule, market, symbol, interval FROM alert_event ORDER BY rule, market, symbol, interval LIMIT 1)
  UNION ALL
  SELECT next.* FROM alert, LATERAL (
    SELECT rule, market, symbol, interval FROM alert_event
    WHERE (rule, market, symbol, interval) > (alert.rule, alert.market, alert.symbol, alert.interval)
    ORDER BY rule, market, symbol, interval LIMIT 1
  ) next
), told AS (
  SELECT last.* FROM alert, LATERAL (
    (SELECT event.* FROM alert_event AS event
     WHERE (event.rule, event.market, event.symbol, event.interval) = (alert.rule, alert.market, alert.symbol, alert.interval)
       AND event.transition IN ('firing', 'resolved', 'flapping')
       AND NOT EXISTS (
         SELECT 1 FROM alert_event AS later
         WHERE (later.rule, later.market, later.symbol, later.interval, later.open_time) = (event.rule, event.market, event.symbol, event.interval, event.open_time)
           AND later.transition = 'corrected' AND later.revision > event.revision)
     ORDER BY event.open_time DESC, event.at DESC, event.revision DESC LIMIT 1)
    UNION ALL
    (SELECT event.* FROM alert_event AS event
     WHERE (event.rule, event.market, event.symbol, event.interval) = (alert.rule, alert.market, alert.symbol, alert.interval)
       AND event.transition IN ('noData', 'dataBack')
     ORDER BY event.open_time DESC, event.at DESC LIMIT 1)
  ) last
)
SELECT ${columns} FROM told WHERE transition IN ('firing', 'flapping', 'noData')
ORDER BY array_position(ARRAY['page', 'ticket', 'info'], severity), told.at DESC, rule, symbol LIMIT $1`

/** What alert rules have decided, the newest first. */
export async function newestAlerts(client: pg.Pool | pg.ClientBase, limit: number): Promise<readonly AlertEvent[]> {
  return (await client.query<AlertEvent>(newest, [limit])).rows.map(readEvent)
}

/** Of each alert that fires or lacks data, by the newest decision that stands, what was told then; those that wake somebody first. */
export async function standingAlerts(client: pg.Pool | pg.ClientBase, limit: number): Promise<readonly AlertEvent[]> {
  return (await client.query<AlertEvent>(standing, [limit])).rows.map(readEvent)
}

function readEvent(row: AlertEvent): AlertEvent {
  return { ...row, text: unescapeText(row.text), symbol: unescapeText(row.symbol) }
}
