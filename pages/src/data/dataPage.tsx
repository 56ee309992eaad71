import type { ComponentChildren } from 'preact'
import { useEffect } from 'preact/hooks'
import { countText } from '../../../src/console/text.ts'
import type { AnswerOf } from '../../../src/web/routes.ts'
import { get } from '../shell/api.ts'
import { useAsked } from '../shell/asked.ts'
import { chosenSet } from '../shell/chosen.ts'
import { type Column, DataTable } from '../shell/dataTable.tsx'
import { dataSets, watch } from '../shell/live.ts'
import { SetPicker } from '../shell/setPicker.tsx'
import { cellText } from './cellText.ts'
import { Letters } from './letters.tsx'

type Row = Readonly<Record<string, unknown>>
type Data = AnswerOf<'api/data'>

const refreshMs = 3_000

/** What each part is called, what it means that there is nothing, and which columns it has. */
const parts: readonly {
  readonly name: keyof Data
  readonly title: string
  readonly nothing: string
  readonly columns: readonly (readonly [string, string])[]
}[] = [
  {
    name: 'gaps',
    title: 'Gaps of the feed',
    nothing: 'No trade is known to be missing.',
    columns: [
      ['state', 'State'],
      ['market', 'Market'],
      ['symbol', 'Symbol'],
      ['fromTime', 'From'],
      ['toTime', 'To'],
      ['missing', 'Trades'],
      ['reason', 'Reason'],
      ['seenAt', 'Seen'],
    ],
  },
  {
    name: 'differences',
    title: 'Reconciliation with the exchange',
    nothing: 'No candle is known to differ. To compare: npx millrace backfill, then npx millrace reconcile.',
    columns: [
      ['state', 'State'],
      ['market', 'Market'],
      ['symbol', 'Symbol'],
      ['interval', 'Interval'],
      ['openTime', 'Candle'],
      ['differences', 'Ours and theirs'],
      ['explanation', 'Explanation'],
      ['foundAt', 'Found'],
    ],
  },
  {
    name: 'quality',
    title: 'Quality',
    nothing: 'No expectation has been checked yet.',
    columns: [
      ['state', 'State'],
      ['quality', 'Quality'],
      ['table_name', 'Table'],
      ['expectation', 'Expectation'],
      ['severity', 'Severity'],
      ['row_count', 'Rows'],
      ['failing', 'Failing'],
      ['reason', 'Reason'],
      ['checked_at', 'Checked'],
    ],
  },
  {
    name: 'runs',
    title: 'Runs',
    nothing: 'No batch run is known.',
    columns: [
      ['state', 'State'],
      ['pipeline', 'Job'],
      ['interval_from', 'From'],
      ['interval_to', 'To'],
      ['attempt', 'Attempt'],
      ['cause', 'Cause'],
      ['started_at', 'Started'],
      ['ended_at', 'Ended'],
      ['error', 'Error'],
    ],
  },
  {
    name: 'archive',
    title: 'Archive',
    nothing: 'Nothing is archived yet. The archive is written now and then, and at a clean stop.',
    columns: [
      ['pipeline', 'Pipeline'],
      ['topic', 'Topic'],
      ['objects', 'Objects'],
      ['records', 'Records'],
      ['bytes', 'Bytes'],
    ],
  },
  {
    name: 'lake',
    title: 'Lake',
    nothing: 'There is no table of a lake here.',
    columns: [
      ['name', 'Table'],
      ['rows', 'Rows'],
      ['files', 'Files'],
      ['bytes', 'Bytes'],
      ['snapshots', 'Snapshots'],
      ['committedAt', 'Last commit'],
      ['location', 'Location'],
    ],
  },
  {
    name: 'logs',
    title: 'Embedded log',
    nothing: 'No topic is in the embedded log.',
    columns: [
      ['topic', 'Topic'],
      ['partitions', 'Partitions'],
      ['records', 'Records'],
      ['bytes', 'Bytes'],
    ],
  },
  {
    name: 'outbox',
    title: 'Messages to send',
    nothing: 'No message waits.',
    columns: [
      ['pipeline', 'Pipeline'],
      ['outlet', 'Outlet'],
      ['topic', 'Topic'],
      ['partition', 'Partition'],
      ['waiting', 'Wait'],
      ['oldestAgeMs', 'Oldest'],
      ['refused', 'Refused'],
    ],
  },
  {
    name: 'skipped',
    title: 'Offsets that somebody decided about',
    nothing: 'No offset was left out.',
    columns: [
      ['kind', 'Kind'],
      ['pipeline', 'Pipeline'],
      ['topic', 'Topic'],
      ['partition', 'Partition'],
      ['fromOffset', 'From'],
      ['toOffset', 'To'],
      ['reason', 'Reason'],
      ['decidedBy', 'Decided by'],
    ],
  },
]

const numbers =
  /^(?:missing|row_count|failing|objects|records|bytes|rows|files|snapshots|partitions|partition|waiting|refused|attempt|fromOffset|toOffset)$/

export function DataPage() {
  const set = chosenSet.value
  useEffect(() => watch({}), [])
  const data = useAsked(set?.schema ?? null, (signal) => get('api/data', { schema: set?.schema }, signal), refreshMs)
  if (dataSets.value === null) return <p class="empty">Loading…</p>
  if (set === null) return <NoData />
  return (
    <div class="data">
      <h1 class="unseen">Data</h1>
      <SetPicker page="data" />
      {data.state === 'failed' ? (
        <p class="banner warn" role="alert">
          {data.why}
        </p>
      ) : null}
      <Letters key={set.schema} schema={set.schema} />
      {data.value === null ? data.state !== 'failed' && <p class="dim">Loading…</p> : <Parts data={data.value} />}
    </div>
  )
}

/** What there is, and then in a line each what there is not. */
function Parts({ data }: { readonly data: Data }) {
  const empty = parts.filter(({ name }) => data[name].length === 0)
  return (
    <>
      {parts
        .filter((part) => !empty.includes(part))
        .map((part) => (
          <Part key={part.name} {...part} rows={data[part.name]} />
        ))}
      {empty.length === 0 ? null : (
        <section class="card" aria-labelledby="nothing-title">
          <h2 id="nothing-title">Nothing to show</h2>
          <dl class="facts">
            {empty.map(({ title, nothing }) => (
              <div key={title}>
                <dt>{title}</dt>
                <dd>{nothing}</dd>
              </div>
            ))}
          </dl>
        </section>
      )}
    </>
  )
}

function Part({ title, columns, rows }: (typeof parts)[number] & { readonly rows: readonly Row[] }) {
  return (
    <section class="card">
      <h2>
        {title} <small>{countText(rows.length)}</small>
      </h2>
      <DataTable
        caption={title}
        rows={rows}
        keyOf={(row) => JSON.stringify(row)}
        columns={columns.map(
          ([name, head]): Column<Row> => ({
            head,
            isNumber: numbers.test(name),
            cell: (row): ComponentChildren => cellText(name, row[name]),
          }),
        )}
      />
    </section>
  )
}

function NoData() {
  return (
    <div class="empty">
      <h1>No data yet</h1>
      <p>Run a pipeline on this database first:</p>
      <pre>
        <code>npx millrace run realtime</code>
      </pre>
    </div>
  )
}
