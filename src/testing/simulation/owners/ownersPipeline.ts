import { map, type Observable, share } from 'rxjs'
import { aggregateWindow } from '../../../operators/aggregateWindow.ts'
import { decode } from '../../../operators/decode.ts'
import { eventTime } from '../../../operators/eventTime.ts'
import { tumblingWindow } from '../../../operators/tumblingWindow.ts'
import { definePipeline, type Outlets, type Pipeline } from '../../../runtime/pipeline/pipeline.ts'
import type { UpsertTable } from '../../../runtime/store/table.ts'
import { toPostgres } from '../../../sinks/toPostgres.ts'

/** A value whose `id` says which record it was made of. */
export interface Event {
  readonly key: string
  readonly at: number
  readonly id: string
}

/** Which records are in a row. */
export interface Group {
  readonly key: string
  readonly start: number
  readonly ids: readonly string[]
  readonly revision: number
  readonly isClosed: boolean
}

/** What a seed decides about the pipeline. */
export interface OwnersPlan {
  readonly kind: 'plain' | 'window' | 'windows'
  readonly sizeMs: number
  readonly allowedLatenessMs: number
  readonly maxOutOfOrdernessMs: number
  /** Null for no rows of windows that are open. */
  readonly provisionalEveryMs: number | null
}

/** Groups of records by key, and by time where there are windows; with `windows` once more, in windows of four times the size. */
export function ownersPipeline(plan: OwnersPlan): Pipeline<Outlets> {
  const { kind, sizeMs, maxOutOfOrdernessMs } = plan
  return definePipeline({
    name: 'owners',
    build: (records): Outlets => {
      const events = records.pipe(decode({ decode: (record) => JSON.parse(record.valueText() ?? '') as Event }))
      if (kind === 'plain') {
        return {
          groups: toPostgres(events.pipe(map(({ key, id }) => groupOf(key, 0, [id], 0, true))), tableOf('groups')),
        }
      }
      const timed = events.pipe(eventTime({ of: ({ at }) => at, maxOutOfOrdernessMs }))
      const groups = timed.pipe(
        windows<Event>(plan, 'small', sizeMs, () => false),
        aggregateWindow<Event, string[], Group>({
          name: 'fold-small',
          ...provisional(plan),
          initial: () => [],
          add: (ids, { id }) => [...ids, id],
          result: (ids, { key, start }, { revision, isClosed }) => groupOf(key, start, ids, revision, isClosed),
        }),
        share(),
      )
      if (kind === 'window') return { groups: toPostgres(groups, tableOf('groups')) }
      return {
        groups: toPostgres(groups, tableOf('groups')),
        large: toPostgres(largeOf(plan, groups), tableOf('large')),
      }
    },
  }) as Pipeline<Outlets>
}

function largeOf(plan: OwnersPlan, groups: Observable<Group>): Observable<Group> {
  return groups.pipe(
    windows<Group>(plan, 'large', plan.sizeMs * 4, ({ isClosed }) => !isClosed),
    aggregateWindow<Group, Record<string, readonly string[]>, Group>({
      name: 'fold-large',
      ...provisional(plan),
      initial: () => ({}),
      // A correction takes the place of what was there.
      add: (parts, { start, ids }) => ({ ...parts, [start]: ids }),
      result: (parts, { key, start }, { revision, isClosed }) =>
        groupOf(key, start, Object.values(parts).flat(), revision, isClosed),
    }),
  )
}

function windows<T extends { readonly key: string }>(
  { allowedLatenessMs }: OwnersPlan,
  name: string,
  sizeMs: number,
  isProvisional: (value: T) => boolean,
) {
  return tumblingWindow<T>({ name, sizeMs, by: ({ key }) => key, allowedLatenessMs, isProvisional })
}

function provisional({ provisionalEveryMs }: OwnersPlan) {
  return provisionalEveryMs === null ? {} : { provisionalEveryMs }
}

function groupOf(key: string, start: number, ids: readonly string[], revision: number, isClosed: boolean): Group {
  return { key, start, ids, revision, isClosed }
}

function tableOf(name: string): UpsertTable<Group> {
  return {
    mode: 'upsert',
    name,
    key: ['key', 'start'],
    revision: 'revision',
    columns: [
      { name: 'key', type: 'text', of: (group) => group.key },
      { name: 'start', type: 'bigint', of: (group) => group.start },
      { name: 'ids', type: 'text', of: (group) => group.ids.join(' ') },
      { name: 'revision', type: 'integer', of: (group) => group.revision },
    ],
  }
}
