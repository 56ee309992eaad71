import type pg from 'pg'
import { type BatchWindow, merged, windowValues } from './batchWindow.ts'
import type { ChangedHour } from './silver.ts'

const hourMs = 3_600_000
/** Blocked hours that are judged again by one pass, those first that were judged longest ago: a check that is broken may block all there are. */
const mostAgain = 2_000

const again = `SELECT market, symbol, (extract(epoch FROM from_time) * 1000)::float8 AS "from", (extract(epoch FROM to_time) * 1000)::float8 AS "to"
FROM blocked_window WHERE run_id <> $1 ORDER BY judged_at LIMIT ${mostAgain}`

const given = `unnest($1::text[], $2::text[], $3::float8[], $4::float8[]) AS given (market, symbol, from_ms, to_ms)`

/** Looks for one minute of each hour by the key, whatever the planner takes the hours to be: it would read the whole table. */
const withMinutes = `SELECT given.market, given.symbol, from_ms AS "from", to_ms AS "to" FROM ${given} CROSS JOIN LATERAL (
  SELECT FROM silver_klines_1m AS minute WHERE minute.market = given.market AND minute.symbol = given.symbol
    AND minute.open_time >= timestamptz 'epoch' + from_ms * interval '1 millisecond' AND minute.open_time < timestamptz 'epoch' + to_ms * interval '1 millisecond' LIMIT 1
) AS minute ORDER BY 1, 2, 3`

const free = `DELETE FROM blocked_window AS known USING ${given}
WHERE known.market = given.market AND known.symbol = given.symbol AND known.from_time = timestamptz 'epoch' + from_ms * interval '1 millisecond'
RETURNING known.market, known.symbol, from_ms AS "from", to_ms AS "to"`

/** Gives those that were not blocked before. */
const block = `INSERT INTO blocked_window AS known (market, symbol, from_time, to_time, since, judged_at, run_id)
SELECT market, symbol, timestamptz 'epoch' + from_ms * interval '1 millisecond', timestamptz 'epoch' + to_ms * interval '1 millisecond',
  timestamptz 'epoch' + $5::float8 * interval '1 millisecond', timestamptz 'epoch' + $5::float8 * interval '1 millisecond', $6
FROM ${given}
ON CONFLICT (market, symbol, from_time) DO UPDATE SET judged_at = excluded.judged_at, run_id = excluded.run_id
RETURNING market, symbol, (extract(epoch FROM from_time) * 1000)::float8 AS "from", (extract(epoch FROM to_time) * 1000)::float8 AS "to", since = judged_at AS "isNew"`

/** Hours that a pass has judged. */
export interface JudgedHours {
  /** Those that have minutes. */
  readonly filled: readonly BatchWindow[]
  /** Those that have none any more. */
  readonly emptied: readonly BatchWindow[]
}

/** The hours before these, of which the last minutes may have been waited for. */
export function hoursBefore(changed: readonly ChangedHour[]): readonly BatchWindow[] {
  return changed.map(({ market, symbol, from }) => ({ market, symbol, from: from - hourMs, to: from }))
}

/** Hours that were blocked before this run and that it has not judged yet. */
export async function blockedBefore(client: pg.ClientBase, runId: string): Promise<readonly BatchWindow[]> {
  return (await client.query<BatchWindow>(again, [runId])).rows
}

/** The hours that these windows are of, each once: which of them have minutes. */
export async function hoursOf(client: pg.ClientBase, windows: readonly BatchWindow[]): Promise<JudgedHours> {
  const hours = byHour(windows)
  if (hours.length === 0) return { filled: [], emptied: [] }
  const filled = (await client.query<BatchWindow>(withMinutes, [...windowValues(hours)])).rows
  const names = new Set(filled.map(nameOf))
  return { filled, emptied: hours.filter((hour) => !names.has(nameOf(hour))) }
}

/** Hours of which it is another than before whether they are blocked. */
export interface TurnedHours {
  /** Those that are not any more. */
  readonly freed: readonly BatchWindow[]
  /** Those that are now. */
  readonly held: readonly BatchWindow[]
}

/** Keeps which of the judged hours are blocked, and gives those of which that is another than before. */
export async function keepBlocked(
  client: pg.ClientBase,
  { filled, emptied }: JudgedHours,
  blocked: readonly BatchWindow[],
  { runId, now }: { readonly runId: string; readonly now: number },
): Promise<TurnedHours> {
  const names = new Set(blocked.map(nameOf))
  const sound = [...filled, ...emptied].filter((hour) => !names.has(nameOf(hour)))
  const freed = sound.length === 0 ? [] : (await client.query<BatchWindow>(free, [...windowValues(sound)])).rows
  if (blocked.length === 0) return { freed, held: [] }
  const { rows } = await client.query<BatchWindow & { isNew: boolean }>(block, [...windowValues(blocked), now, runId])
  return { freed, held: rows.filter(({ isNew }) => isNew) }
}

const reasonsText = `SELECT DISTINCT ON (expectation) expectation, reason FROM quality_window WHERE run_id = $1 AND state IN ('fail', 'error') ORDER BY expectation, reason LIMIT 5`
const mostShown = 5

/** A sentence of hours that are blocked from now on, and why, for whoever has to look at them. */
export async function blockedText(
  client: pg.ClientBase,
  hours: readonly BatchWindow[],
  runId: string,
): Promise<string> {
  const { rows } = await client.query<{ expectation: string; reason: string | null }>(reasonsText, [runId])
  const shown = hours.slice(0, mostShown).map(({ market, symbol, from }) => {
    return `${market} ${symbol} ${new Date(from).toISOString().slice(0, 16)}Z`
  })
  const more = hours.length > mostShown ? ` and ${hours.length - mostShown} more` : ''
  const why = rows.map(({ expectation, reason }) => (reason === null ? expectation : `${expectation} (${reason})`))
  return `${hours.length} ${hours.length === 1 ? 'hour is' : 'hours are'} blocked from now on, so that no longer candle is made of ${hours.length === 1 ? 'it' : 'them'}: ${shown.join(', ')}${more}.${
    why.length === 0 ? '' : ` What fails: ${why.join('; ')}.`
  } 'millrace quality report' shows the rows.`
}

/** Each hour once. */
function byHour(windows: readonly BatchWindow[]): BatchWindow[] {
  return merged(windows).flatMap((window) => {
    const hours: BatchWindow[] = []
    for (let { from } = window; from < window.to; from += hourMs) hours.push({ ...window, from, to: from + hourMs })
    return hours
  })
}

function nameOf({ market, symbol, from }: BatchWindow): string {
  return `${market} ${symbol} ${from}`
}
