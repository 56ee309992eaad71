import { useEffect } from 'preact/hooks'
import { cellText } from '../data/cellText.ts'
import { get } from '../shell/api.ts'
import { useAsked } from '../shell/asked.ts'
import { chosenSet } from '../shell/chosen.ts'
import { DataTable } from '../shell/dataTable.tsx'
import { plain } from '../shell/format.ts'
import { dataSets, watch } from '../shell/live.ts'
import { SetPicker } from '../shell/setPicker.tsx'

type Row = Readonly<Record<string, unknown>>

const refreshMs = 3_000
const transitions: Readonly<Record<string, string>> = {
  firing: '✕ firing',
  noData: '▲ no data',
  flapping: '▲ flapping',
  corrected: '◆ corrected',
  resolved: '● resolved',
  dataBack: '● data is back',
}

/** What each rule has decided last, and what was decided before. */
export function AlertsPage() {
  const set = chosenSet.value
  useEffect(() => watch({ pipelines: false, symbols: null, series: [] }), [])
  const asked = useAsked(set?.schema ?? null, (signal) => get('api/alerts', { schema: set?.schema }, signal), refreshMs)
  if (dataSets.value === null) return <p class="empty">Loading…</p>
  const rows = asked.value?.alerts
  if (set === null || rows?.length === 0) return <NoAlerts />
  if (rows === undefined) return <p class="empty">{asked.state === 'failed' ? plain(asked.why) : 'Loading…'}</p>
  const newest = new Map<string, Row>()
  for (const row of rows) {
    const key = JSON.stringify([row.rule, row.market, row.symbol, row.interval])
    if (!newest.has(key)) newest.set(key, row)
  }
  const now = [...newest.values()].filter(({ transition }) =>
    ['firing', 'noData', 'flapping'].includes(String(transition)),
  )
  return (
    <div class="data">
      <h1 class="unseen">Alerts</h1>
      <SetPicker page="alerts" />
      <section class="card">
        <h2>Now {now.length > 0 ? <small>{now.length}</small> : null}</h2>
        {now.length === 0 ? <p class="dim">No rule fires.</p> : <Table caption="Rules that fire now" rows={now} />}
      </section>
      <section class="card">
        <h2>Before</h2>
        <Table caption="What rules have decided, the newest first" rows={rows} />
      </section>
    </div>
  )
}

function Table({ caption, rows }: { readonly caption: string; readonly rows: readonly Row[] }) {
  return (
    <DataTable
      caption={caption}
      rows={rows}
      keyOf={(row) => JSON.stringify(row)}
      columns={[
        { head: 'State', cell: ({ transition }) => transitions[String(transition)] ?? plain(String(transition)) },
        { head: 'Severity', cell: ({ severity }) => cellText('severity', severity) },
        { head: 'Rule', cell: ({ rule }) => cellText('rule', rule) },
        { head: 'Symbol', cell: ({ symbol }) => cellText('symbol', symbol) },
        { head: 'Said', cell: ({ text }) => cellText('text', text) },
        { head: 'At', cell: ({ at }) => cellText('at', at) },
      ]}
    />
  )
}

function NoAlerts() {
  return (
    <div class="empty">
      <h1>No alerts yet</h1>
      <p>
        No rule has decided anything on this data. Rules on price, change, volume, indicators, gaps and lag are shown
        here once they do.
      </p>
    </div>
  )
}
