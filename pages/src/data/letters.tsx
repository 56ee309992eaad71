import { useState } from 'preact/hooks'
import { countText } from '../../../src/console/text.ts'
import type { AnswerOf } from '../../../src/web/routes.ts'
import { get, post } from '../shell/api.ts'
import { useAsked } from '../shell/asked.ts'
import { zone } from '../shell/choices.ts'
import { DataTable } from '../shell/dataTable.tsx'
import { plain, timeText } from '../shell/format.ts'
import { Letter } from './letter.tsx'

type Group = AnswerOf<'api/dead-letters'>['groups'][number]

const refreshMs = 3_000
const rowsAtOnce = 100

/** Records that were set aside: by reason, then one by one, then their bytes. */
export function Letters({ schema }: { readonly schema: string }) {
  const [chosen, setChosen] = useState<Group | null>(null)
  const [told, setTold] = useState<string | null>(null)
  const groups = useAsked(schema, (signal) => get('api/dead-letters', { schema }, signal), refreshMs)
  const redrive = async (wish: object, what: string) => {
    setTold(`Appending ${what} again…`)
    try {
      const done = (await post('api/dead-letters/redrive', { schema, ...wish })) as AnswerOf<'api/dead-letters/redrive'>
      const left =
        done.skipped.length === 0 ? '' : `; ${countText(done.skipped.length)} left as they are: ${done.skipped[0]?.why}`
      setTold(`${countText(done.redriven + done.recovered)} appended to their topics again${left}.`)
    } catch (error) {
      setTold(`Not redriven: ${error instanceof Error ? error.message : String(error)}`)
    }
    groups.again()
  }
  const all = groups.value?.groups ?? []
  return (
    <section class="card" aria-labelledby="letters-title">
      <h2 id="letters-title">
        Dead letters{' '}
        {all.length > 0 ? <small>{countText(all.reduce((sum, one) => sum + one.waiting, 0))} wait</small> : null}
      </h2>
      <p class="unseen" aria-live="polite">
        {told ?? ''}
      </p>
      {told === null ? null : <p class="banner busy">{plain(told)}</p>}
      {groups.state === 'failed' ? <p class="banner warn">{plain(groups.why)}</p> : null}
      {groups.value === null ? <p class="dim">{groups.state === 'failed' ? '' : 'Loading…'}</p> : null}
      {groups.value !== null && all.length === 0 ? <p class="dim">Nothing was set aside.</p> : null}
      {all.length === 0 ? null : (
        <DataTable
          caption="Dead letters by reason"
          rows={all}
          keyOf={({ pipeline, topic, operator, reason }) => `${pipeline} ${topic} ${operator} ${reason}`}
          columns={[
            {
              head: 'Reason',
              cell: (group) => (
                <button
                  type="button"
                  class="link"
                  aria-expanded={isSame(chosen, group)}
                  onClick={() => setChosen(isSame(chosen, group) ? null : group)}
                >
                  {plain(group.reason)}
                </button>
              ),
            },
            { head: 'Wait', isNumber: true, cell: ({ waiting }) => countText(waiting) },
            { head: 'Redriven', isNumber: true, cell: ({ redriven }) => countText(redriven) },
            { head: 'Operator', cell: ({ operator }) => plain(operator) },
            { head: 'Pipeline', cell: ({ pipeline }) => plain(pipeline) },
            { head: 'Topic', cell: ({ topic }) => plain(topic) },
            { head: 'Newest', cell: ({ newestAt }) => timeText(newestAt, zone.value) },
            { head: 'Said', cell: ({ detail }) => plain(detail.slice(0, 160)) },
            {
              head: 'Again',
              cell: (group) =>
                group.waiting === 0 ? null : (
                  <Redrive
                    what={`${countText(group.waiting)} of ${plain(group.reason)}`}
                    onYes={() =>
                      redrive(
                        {
                          pipeline: group.pipeline,
                          topic: group.topic,
                          operator: group.operator,
                          reason: group.reason,
                        },
                        `${countText(group.waiting)} letters`,
                      )
                    }
                  />
                ),
            },
          ]}
        />
      )}
      {chosen === null ? null : (
        <Rows schema={schema} group={chosen} onRedrive={(id) => redrive({ ids: [id] }, 'one letter')} />
      )}
    </section>
  )
}

/** Processing again cannot be taken back: it takes two clicks. */
function Redrive({ what, onYes }: { readonly what: string; readonly onYes: () => Promise<void> }) {
  const [isAsking, setAsking] = useState(false)
  if (!isAsking) {
    return (
      <button type="button" class="button small" onClick={() => setAsking(true)} aria-label={`Redrive ${what}`}>
        Redrive
      </button>
    )
  }
  return (
    <span class="confirm">
      <button
        type="button"
        class="button small primary"
        onClick={() => {
          setAsking(false)
          void onYes()
        }}
      >
        Append {what} again
      </button>
      <button type="button" class="link" onClick={() => setAsking(false)}>
        Cancel
      </button>
    </span>
  )
}

function Rows({
  schema,
  group,
  onRedrive,
}: {
  readonly schema: string
  readonly group: Group
  readonly onRedrive: (id: string) => Promise<void>
}) {
  const [openId, setOpenId] = useState<string | null>(null)
  const { pipeline, topic, operator, reason } = group
  const rows = useAsked(
    JSON.stringify([schema, pipeline, topic, operator, reason]),
    (signal) =>
      get(
        'api/dead-letters/rows',
        { schema, pipeline, topic, operator, reason, redriven: 'true', limit: rowsAtOnce },
        signal,
      ),
    refreshMs,
  )
  if (rows.value === null) return <p class="dim">{rows.state === 'failed' ? rows.why : 'Loading…'}</p>
  return (
    <div class="rows">
      <h3>
        {plain(reason)}, set aside by {plain(operator)}, the newest {rows.value.letters.length}
      </h3>
      <DataTable
        caption={`Dead letters of ${reason}`}
        rows={rows.value.letters}
        keyOf={({ id }) => id}
        columns={[
          {
            head: 'Place',
            cell: ({ id, partition, offset }) => (
              <button
                type="button"
                class="link"
                data-letter={id}
                aria-expanded={openId === id}
                onClick={() => setOpenId(openId === id ? null : id)}
              >
                {partition} / {countText(offset)}
              </button>
            ),
          },
          { head: 'Said', cell: ({ detail }) => plain(detail.slice(0, 300)) },
          { head: 'Set aside', cell: ({ createdAt }) => timeText(createdAt, zone.value) },
          {
            head: 'Redriven',
            cell: ({ redrivenAt }) => (redrivenAt === null ? '–' : timeText(redrivenAt, zone.value)),
          },
          {
            head: 'Again',
            cell: ({ id, redrivenAt }) =>
              redrivenAt === null ? <Redrive what="this one" onYes={() => onRedrive(id)} /> : null,
          },
        ]}
      />
      {openId === null ? null : <Letter key={openId} schema={schema} id={openId} />}
    </div>
  )
}

function isSame(a: Group | null, b: Group): boolean {
  return (
    a !== null && a.pipeline === b.pipeline && a.topic === b.topic && a.operator === b.operator && a.reason === b.reason
  )
}
