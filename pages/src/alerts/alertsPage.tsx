import { useEffect } from 'preact/hooks'
import { countText } from '../../../src/console/text.ts'
import { partsOfText } from '../../../src/operators/alerts/alertText.ts'
import type { AnswerOf } from '../../../src/web/routes.ts'
import { get } from '../shell/api.ts'
import { useAsked } from '../shell/asked.ts'
import { zone } from '../shell/choices.ts'
import { chosenSet } from '../shell/chosen.ts'
import { DataTable } from '../shell/dataTable.tsx'
import { plain, whenText } from '../shell/format.ts'
import { dataSets, serverNow, watch } from '../shell/live.ts'
import { hrefOf } from '../shell/router.ts'
import { SetPicker } from '../shell/setPicker.tsx'

type Alert = AnswerOf<'api/alerts'>['alerts'][number]

const refreshMs = 3_000
const transitions: Readonly<Record<Alert['transition'], string>> = {
  firing: '✕ firing',
  noData: '▲ no data',
  flapping: '▲ flapping',
  corrected: '◆ corrected',
  resolved: '● resolved',
  dataBack: '● data is back',
}
const severities: Readonly<Record<Alert['severity'], string>> = { page: '▲ page', ticket: '◐ ticket', info: '○ info' }

/** What fires now, and what rules have decided before. */
export function AlertsPage() {
  const set = chosenSet.value
  useEffect(() => watch({}), [])
  const asked = useAsked(set?.schema ?? null, (signal) => get('api/alerts', { schema: set?.schema }, signal), refreshMs)
  if (dataSets.value === null) return <p class="empty">Loading…</p>
  const told = asked.value
  return (
    <div class="data">
      <h1 class="unseen">Alerts</h1>
      <SetPicker page="alerts" />
      {asked.state === 'failed' ? (
        <p class="banner warn" role="alert">
          {plain(asked.why)}
        </p>
      ) : null}
      {told === null ? (
        set === null ? (
          <NoAlerts />
        ) : asked.state === 'failed' ? null : (
          <p class="empty">Loading…</p>
        )
      ) : told.alerts.length === 0 ? (
        <NoAlerts />
      ) : (
        <>
          <section class="card" aria-labelledby="now-title">
            <h2 id="now-title">
              Now {told.standing.length > 0 ? <small>{countText(told.standing.length)}</small> : null}
            </h2>
            {told.standing.length === 0 ? (
              <p class="dim">● No rule fires.</p>
            ) : (
              <Table caption="Rules that fire now" rows={told.standing} schema={set?.schema ?? ''} when="Since" />
            )}
          </section>
          <section class="card" aria-labelledby="decided-title">
            <h2 id="decided-title">Decided, the newest first</h2>
            <Table caption="What rules have decided" rows={told.alerts} schema={set?.schema ?? ''} when="At" />
          </section>
        </>
      )}
    </div>
  )
}

function Table({
  caption,
  rows,
  schema,
  when,
}: {
  readonly caption: string
  readonly rows: readonly Alert[]
  readonly schema: string
  readonly when: string
}) {
  return (
    <DataTable
      caption={caption}
      rows={rows}
      keyOf={({ rule, market, symbol, interval, openTime, transition, revision }) =>
        JSON.stringify([rule, market, symbol, interval, openTime, transition, revision])
      }
      columns={[
        {
          head: 'State',
          cell: ({ transition, corrects }) =>
            `${transitions[transition]}${corrects === null ? '' : `: not ${corrects}`}`,
        },
        { head: 'Severity', cell: ({ severity }) => severities[severity] },
        { head: 'Rule', cell: ({ rule }) => plain(rule) },
        { head: 'Of', cell: (alert) => <Subject alert={alert} schema={schema} /> },
        { head: 'Seen', cell: (alert) => plain(partsOfText(alert).seen) },
        { head: 'Note', cell: (alert) => plain(partsOfText(alert).note) },
        { head: `${when}, ${zone.value}`, cell: ({ at }) => whenText(at, serverNow.value, zone.value) },
      ]}
    />
  )
}

/** A symbol leads to its candles. */
function Subject({ alert, schema }: { readonly alert: Alert; readonly schema: string }) {
  const { market, symbol, interval } = alert
  if (market === '') return <>{plain(symbol)}</>
  return (
    <a href={hrefOf('market', [schema, market, symbol, interval === '' ? '1m' : interval])}>
      {plain(`${symbol} ${interval}`.trim())}
    </a>
  )
}

function NoAlerts() {
  return (
    <div class="empty">
      <h1>No alerts yet</h1>
      <p>
        No rule has decided anything on this data. Write rules over price, change, volume, indicators, gaps and lag into
        a file, as docs/alerts.md shows, and start with it:
      </p>
      <pre>
        <code>npx millrace run realtime --alerts-file alerts.yaml</code>
      </pre>
    </div>
  )
}
