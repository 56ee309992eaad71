import { computed } from '@preact/signals'
import { useEffect } from 'preact/hooks'
import { countText } from '../../../src/console/text.ts'
import type { PipelineView } from '../../../src/web/pipelineView.ts'
import { zone } from '../shell/choices.ts'
import { DataTable } from '../shell/dataTable.tsx'
import { plain, shortAge, shortCount, timeText, whenText } from '../shell/format.ts'
import { dataSets, pipelines, serverNow, watch } from '../shell/live.ts'
import { hrefOf, place } from '../shell/router.ts'
import { Sparkline } from '../shell/sparkline.tsx'
import { chosenNode } from './chosenNode.ts'
import { Graph } from './graph.tsx'
import { NodeDetails } from './nodeDetails.tsx'

const shown = computed<PipelineView | null>(() => {
  const [schema, pipeline] = place.value.parts
  const all = pipelines.value ?? []
  return all.find((one) => one.schema === schema && one.pipeline === pipeline) ?? all[0] ?? null
})

const marks = { good: '●', busy: '◐', warn: '▲', bad: '✕', off: '○' } as const

export function PipelinePage() {
  useEffect(() => watch({ pipelines: true }), [])
  const all = pipelines.value
  const one = shown.value
  if (all === null) return <p class="empty">Loading…</p>
  if (one === null) return <NoPipeline />
  return (
    <div class="pipeline">
      {all.length > 1 ? (
        <nav class="tabs" aria-label="Pipelines, the worst first">
          {all.map(({ schema, pipeline, verdict }) => (
            <a
              key={`${schema}/${pipeline}`}
              href={hrefOf('pipeline', [schema, pipeline])}
              aria-current={one.schema === schema && one.pipeline === pipeline ? 'page' : undefined}
            >
              <span class={`mark ${verdict.level}`} aria-hidden="true">
                {marks[verdict.level]}
              </span>{' '}
              {plain(pipeline)} <small>{nameOf(schema)}</small>
            </a>
          ))}
        </nav>
      ) : null}
      <Head view={one} />
      <Numbers view={one} />
      {one.worries.length === 0 ? null : <Worries view={one} />}
      <section class="card graph-card" aria-labelledby="graph-title">
        <h2 id="graph-title">Graph</h2>
        {one.graph === null ? (
          <p class="dim">The report of the process is of another release and cannot be drawn.</p>
        ) : (
          <Graph view={one} graph={one.graph} />
        )}
      </section>
      {chosenNode.value === null || one.graph === null ? null : (
        <NodeDetails view={one} graph={one.graph} id={chosenNode.value} />
      )}
      <Tasks view={one} />
      <Processes view={one} />
    </div>
  )
}

function nameOf(schema: string): string {
  return dataSets.value?.find((one) => one.schema === schema)?.name ?? schema
}

function NoPipeline() {
  return (
    <div class="empty">
      <h1>No pipeline has run here yet</h1>
      <p>Start one, and its graph, rates and lag come by themselves:</p>
      <pre>
        <code>{'npx millrace run realtime\nnpx millrace run ./my-pipeline.ts'}</code>
      </pre>
    </div>
  )
}

function Head({ view }: { readonly view: PipelineView }) {
  const { level, text } = view.verdict
  return (
    <header class={`verdict ${level}`}>
      <span class="mark" aria-hidden="true">
        {marks[level]}
      </span>
      <div>
        <h1>{plain(view.pipeline)}</h1>
        <p data-verdict>{plain(text)}</p>
      </div>
      {view.isOfThePast && view.watermark !== null ? (
        <p class="tape">
          A tape: its now is {timeText(view.watermark, zone.value)} {zone.value}
        </p>
      ) : null}
    </header>
  )
}

function Numbers({ view }: { readonly view: PipelineView }) {
  const { recordsPerS, lagRecords, watermarkLagMs, checkpointAgeMs, deadLetters, trend, watermark } = view
  const behindS = lagRecords === null || recordsPerS <= 0 ? null : (lagRecords / recordsPerS) * 1_000
  const before = trend.lagRecords.at(-15)
  const direction =
    before === undefined || lagRecords === null
      ? ''
      : lagRecords > before * 1.2 + 20
        ? '↗'
        : lagRecords < before * 0.8 - 20
          ? '↘'
          : '→'
  return (
    <dl class="numbers">
      <div>
        <dt>Records</dt>
        <dd>
          {shortCount(recordsPerS)} <small>a second</small>
        </dd>
        <dd class="small">
          <Sparkline
            values={trend.recordsPerS}
            label={`Records a second over two minutes, now ${Math.round(recordsPerS)}`}
          />
        </dd>
      </div>
      <div>
        <dt>Lag</dt>
        <dd>
          {lagRecords === null ? '–' : shortCount(lagRecords)}{' '}
          <small>records{behindS === null ? '' : ` · ${shortAge(behindS)}`}</small>{' '}
          <span aria-label={direction === '↗' ? 'growing' : direction === '↘' ? 'shrinking' : 'steady'} role="img">
            {direction}
          </span>
        </dd>
        <dd class="small">
          <Sparkline
            values={trend.lagRecords}
            label={`Lag in records over two minutes, now ${lagRecords ?? 'unknown'}`}
          />
        </dd>
      </div>
      <div>
        <dt>Watermark</dt>
        <dd>
          {watermarkLagMs === null ? '–' : shortAge(watermarkLagMs)} <small>behind</small>
        </dd>
        <dd class="small">
          {watermark === null ? 'no event time yet' : `${timeText(watermark, zone.value)} ${zone.value}`}
        </dd>
      </div>
      <div>
        <dt>Checkpoint</dt>
        <dd>
          {checkpointAgeMs === null ? '–' : shortAge(checkpointAgeMs)} <small>ago</small>
        </dd>
        <dd class="small">{countText(view.records)} records since the start</dd>
      </div>
      <div>
        <dt>Set aside</dt>
        <dd>
          {shortCount(deadLetters)} <small>since the start</small>
        </dd>
        <dd class="small">
          <a href={hrefOf('data', [], { set: view.schema })}>dead letters</a>
        </dd>
      </div>
    </dl>
  )
}

function Worries({ view }: { readonly view: PipelineView }) {
  return (
    <section class="card" aria-labelledby="worst-title">
      <h2 id="worst-title">Worst first</h2>
      <ol class="worries">
        {view.worries.map(({ level, where, text }) => (
          <li key={`${where} ${text}`} class={level}>
            <span class="mark" aria-hidden="true">
              {marks[level]}
            </span>
            {where?.includes(':') === true ? (
              <button type="button" class="link" onClick={() => (chosenNode.value = where)}>
                {plain(text)}
              </button>
            ) : (
              <span>{plain(text)}</span>
            )}
          </li>
        ))}
      </ol>
    </section>
  )
}

function Tasks({ view }: { readonly view: PipelineView }) {
  const rows = [...view.tasks].sort((a, b) => b.logEndOffset - b.committedOffset - (a.logEndOffset - a.committedOffset))
  if (rows.length === 0) return null
  return (
    <section class="card" aria-labelledby="tasks-title">
      <h2 id="tasks-title">Partitions, the furthest behind first</h2>
      <DataTable
        caption={`Partitions of ${view.pipeline}`}
        rows={rows}
        keyOf={({ process, partition }) => `${process}/${partition}`}
        columns={[
          { head: 'Partition', isNumber: true, cell: ({ partition }) => partition },
          {
            head: 'State',
            cell: ({ phase, waitingFor }) => (waitingFor === null ? phase : `${phase}: ${plain(waitingFor)}`),
          },
          {
            head: 'Lag',
            isNumber: true,
            cell: (task) => countText(Math.max(0, task.logEndOffset - task.committedOffset)),
          },
          { head: 'Next offset', isNumber: true, cell: ({ nextOffset }) => countText(nextOffset) },
          {
            head: `Watermark, ${zone.value}`,
            cell: ({ watermark }) => (watermark === null ? '–' : timeText(watermark, zone.value)),
          },
          {
            head: 'Last commit',
            cell: ({ committedAt }) => (committedAt === null ? '–' : `${shortAge(serverNow.value - committedAt)} ago`),
          },
          { head: 'Commit took', isNumber: true, cell: ({ commitMs }) => `${Math.round(commitMs)} ms` },
          { head: 'Owner', cell: ({ process, generation }) => `${plain(process)}, generation ${generation}` },
        ]}
      />
      {view.taskCount > rows.length ? (
        <p class="dim">
          {countText(rows.length)} of {countText(view.taskCount)}: those that are furthest behind.
        </p>
      ) : null}
    </section>
  )
}

function Processes({ view }: { readonly view: PipelineView }) {
  return (
    <section class="card" aria-labelledby="processes-title">
      <h2 id="processes-title">Processes and feeds</h2>
      <DataTable
        caption={`Processes that run ${view.pipeline}`}
        rows={view.processes}
        keyOf={({ process, startedAt }) => `${process} ${startedAt}`}
        columns={[
          { head: 'Process', cell: ({ process }) => plain(process) },
          { head: 'State', cell: ({ state, ageMs }) => (state === 'silent' ? `silent for ${shortAge(ageMs)}` : state) },
          { head: 'Source', cell: ({ source }) => plain(source) },
          { head: 'Waits for', cell: ({ waitingFor }) => (waitingFor === null ? '–' : plain(waitingFor)) },
          { head: 'Started', cell: ({ startedAt }) => whenText(startedAt, serverNow.value, zone.value) },
          {
            head: 'Ended',
            cell: ({ endedAt }) => (endedAt === null ? '–' : whenText(endedAt, serverNow.value, zone.value)),
          },
        ]}
      />
      {view.feeds.map(({ name, counts }) => (
        <div key={name} class="feed">
          <h3>{plain(name)}</h3>
          <dl class="facts">
            {Object.entries(counts).map(([what, count]) => (
              <div key={what}>
                <dt>{plain(what)}</dt>
                <dd>{countText(count)}</dd>
              </div>
            ))}
          </dl>
        </div>
      ))}
    </section>
  )
}
