import type { QualityReport } from '../queries/quality.ts'
import { formatTime } from './time.ts'

/** The reports of one schema. */
interface SchemaReports {
  readonly schema: string
  readonly reports: readonly QualityReport[]
}

/** One page of HTML, for a browser that may fetch nothing and run nothing. */
export function qualityPage(perSchema: readonly SchemaReports[], now: number): string {
  const sections = perSchema.flatMap(({ schema, reports }) => reports.map((report) => section(schema, report)))
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Quality of tables</title>
<style>
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 75rem; padding: 0 1rem; color: #1c1c1e; background: #fff }
table { border-collapse: collapse; width: 100%; margin: .75rem 0 1.5rem }
th, td { text-align: left; padding: .3rem .6rem; border-bottom: 1px solid #ddd; vertical-align: top }
td.number { text-align: right; font-variant-numeric: tabular-nums }
.state { font-weight: 600; white-space: nowrap }
.pass { color: #146c2e } .none { color: #555 } .warn { color: #8a5300 } .fail, .error { color: #b3001b }
pre { margin: 0; white-space: pre-wrap; overflow-wrap: anywhere; font-size: 13px }
@media (prefers-color-scheme: dark) {
  body { color: #eee; background: #161618 } th, td { border-color: #444 }
  .pass { color: #6fd58a } .none { color: #aaa } .warn { color: #f0b35a } .fail, .error { color: #ff8a94 }
}
</style>
</head>
<body>
<h1>Quality of tables</h1>
<p>As of ${escaped(formatTime(now))}.</p>
${sections.length === 0 ? '<p>Nothing was checked yet.</p>' : sections.join('\n')}
</body>
</html>
`
}

function section(schema: string, report: QualityReport): string {
  const { quality, table, runId, checkedAt, results, problems, quarantine } = report
  const title = quality === table ? table : `${quality} (table ${table})`
  return `<section>
<h2>${escaped(title)}</h2>
<p>Schema ${escaped(schema)}, run ${escaped(runId)}, ${escaped(formatTime(checkedAt))}.</p>
${tableOf(
  ['state', 'expectation', 'windows passed', 'rows', 'failing', 'reason'],
  results.map((one) => [
    state(one.state),
    cell(one.expectation),
    number(`${one.passed} of ${one.windows}`),
    number(String(one.rows)),
    number(String(one.failing)),
    cell(one.reason ?? ''),
  ]),
)}
${part(`Windows that did not pass`, problems.length, report.problemCount, () =>
  tableOf(
    ['state', 'key', 'from', 'to', 'expectation', 'reason'],
    problems.map((one) => [
      state(one.state),
      cell(Object.values(one.key).join(' ')),
      cell(formatTime(one.from)),
      cell(formatTime(one.to)),
      cell(one.expectation),
      cell(one.reason),
    ]),
  ),
)}
${part('In quarantine', quarantine.length, report.quarantineCount, () =>
  tableOf(
    ['reason', 'row', 'the other table has', 'alike', 'since'],
    quarantine.map((one) => [
      cell(one.reason),
      json(one.row),
      json(one.expected ?? ''),
      number(String(one.copies)),
      cell(`${one.runId}, ${formatTime(one.foundAt)}`),
    ]),
  ),
)}
</section>`
}

function part(title: string, shown: number, all: number, made: () => string): string {
  if (shown === 0) return ''
  return `<h3>${title}${shown < all ? ` (${shown} of ${all})` : ''}</h3>\n${made()}`
}

function tableOf(headings: readonly string[], rows: readonly (readonly string[])[]): string {
  const head = headings.map((heading) => `<th scope="col">${heading}</th>`).join('')
  return `<table><thead><tr>${head}</tr></thead><tbody>\n${rows.map((row) => `<tr>${row.join('')}</tr>`).join('\n')}\n</tbody></table>`
}

function cell(text: string): string {
  return `<td>${escaped(text)}</td>`
}

function number(text: string): string {
  return `<td class="number">${escaped(text)}</td>`
}

function json(text: string): string {
  return `<td><pre>${escaped(text)}</pre></td>`
}

function state(text: string): string {
  return `<td class="state ${escaped(text)}">${escaped(text)}</td>`
}

/** Rows hold what came from outside. */
function escaped(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`)
}
