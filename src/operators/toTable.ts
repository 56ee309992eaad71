import { concatWith, finalize, NEVER, type Observable, share } from 'rxjs'
import { refusePromise } from '../runtime/atOnce.ts'
import type { Duration } from '../runtime/duration.ts'
import { ConfigurationError, OperatorError } from '../runtime/errors.ts'
import type { Json } from '../runtime/json.ts'
import type { Meeting, OperatorSpec } from '../runtime/operator/operator.ts'
import { stateful } from '../runtime/operator/stateful.ts'
import { checkArgument, checkOptions, needed, type OptionRules, optional } from '../runtime/options.ts'
import type { KeyedState, StateCodec } from '../runtime/state/keyedState.ts'
import { plainState } from '../runtime/state/plainState.ts'
import type { SavedOperator } from '../runtime/state/savedState.ts'
import { Withdrawn } from '../runtime/withdrawn.ts'
import { keyOf } from './keyOf.ts'
import { RowAges } from './rowAges.ts'
import { StreamTable } from './streamTable.ts'
import { wholeMs } from './wholeMs.ts'

/** What `toTable` keeps of a stream of changes, and how much of it. */
export interface ToTableOptions<T, V> {
  /** Unique in a pipeline; the rows are found again by it. */
  readonly name: string
  /** The key whose row the change is about. */
  readonly by: (change: T) => string
  /** The row from now on, or null to take it away. It must not be changed afterwards. */
  readonly value: (change: T) => V | null
  /** How many rows there may be at once. May be changed between two starts. */
  readonly maxKeys: number
  /**
   * How long a row stays that no change has refreshed, in the event time of the stream: ms, or text such as `'1d'`. It goes when the watermark has come so far beyond where it was at the row's last
   * change. For good if left out. May be changed between two starts.
   */
  readonly ttlMs?: Duration
  /** How a row is saved; plain values need none. */
  readonly state?: StateCodec<V>
  /** Raise it when rows change their meaning or their shape; 1 if left out. */
  readonly version?: number
  /** Turns a row as an older version had saved it (what `state.encode` or plain values made) into what this one saves. Without it rows of another version are refused. */
  readonly migrate?: (saved: Json, version: number) => Json
  /** Outside a task: receives changes on which a callback throws. */
  readonly onReject?: OperatorSpec['onReject']
}

const rules: OptionRules<ToTableOptions<never, never>> = {
  name: needed.text,
  by: needed.callback,
  value: needed.callback,
  maxKeys: needed.number,
  ttlMs: optional.duration,
  state: optional.stateCodec,
  version: optional.number,
  migrate: optional.callback,
  onReject: optional.anyFunction,
}

/** Of the layout of what is saved; the version of the rows is in the shape. */
const layoutVersion = 1

/**
 * Ends a stream of changes in a table of the newest row of each key, which `enrich` looks up. It is no outlet: a table that nobody reads is not kept.
 *
 * A change holds for what comes after it in the merged order of the inputs, and for nothing before; of a record that is both a change and a value for `enrich`, the
 * change comes first unless the value's stream has been used before the table's. `value` giving null takes the row away, and so does a change that was `withdrawn`. Keeps one row a key until then, up to `maxKeys`: a change that
 * would add one more ends the task, with nothing lost: it goes on there with a higher `maxKeys`. With `ttlMs` a row that is not refreshed goes by event time, at the same place in a replay. The rows are part of the checkpoint, so after a crash the table is what it was, and
 * its topic is not read again.
 *
 * A change that was set aside and is redriven is a change at the place where it comes again: it replaces the newer row that its key may have got since. Loose values
 * (`mapAsync`, `batchFlush`) may come to a table only where those of the streams that read it come through the same operator.
 * @throws ConfigurationError on options out of range, and in a task when there is no room for another key; OperatorError outside a task where `ttlMs` is given and the changes have no `eventTime` above
 */
export function toTable<T, V extends NonNullable<unknown>>(
  changes: Observable<T | Withdrawn<T>>,
  options: ToTableOptions<T, V>,
): StreamTable<V> {
  checkArgument('toTable', 'its first argument, the changes,', changes, needed.stream)
  checkOptions('toTable', options, rules)
  const { name, by, value, maxKeys, state = plainState<V>(), version = 1, onReject } = options
  for (const [option, number] of Object.entries({ maxKeys, version })) {
    if (!Number.isSafeInteger(number) || number <= 0)
      throw new ConfigurationError(`toTable '${name}': ${option} must be a positive integer, got ${number}.`)
  }
  const ttlMs = options.ttlMs === undefined ? null : wholeMs(options.ttlMs, `toTable '${name}': ttlMs`, 1)
  const meeting: Meeting = { stage: undefined }
  const spec = {
    name,
    version: layoutVersion,
    shape: { version },
    migrate: migrating(version, options.migrate),
    meeting,
    isTable: true,
    takesUnsettled: 'withdrawn' as const,
    onReject,
  }
  let current: KeyedState<V> | null = null
  const upkeep = changes.pipe(
    stateful<T | Withdrawn<T>, never>(spec, (restored, out) => {
      const rows = restored.keyed(state)
      const ages = RowAges.of(restored, ttlMs, rows)
      current = rows
      return {
        onValue(change) {
          const isGone = change instanceof Withdrawn
          const key = keyOf(by, isGone ? change.row : change, name)
          const row = isGone ? null : value(change)
          refusePromise(`${name}: value`, row)
          if (row === undefined) throw new TypeError('value must give a row, or null to take it away, got undefined')
          if (ages !== null && !out.isInTask && !out.hasTime) throw timeless(name)
          if (row === null) {
            rows.delete(key)
            ages?.forget(key)
          } else if (rows.size < maxKeys || rows.get(key) !== undefined) {
            rows.set(key, row)
            ages?.refresh(key, out.streamTime)
          } else throw full(name, rows.size)
        },
        ...(ages === null ? {} : { onWatermark: (watermark) => ages.expire(watermark) }),
      }
    }),
    // A stream of changes that has ended leaves the table as it is, as long as somebody reads it.
    concatWith(NEVER),
    finalize(() => {
      current = null
    }),
    share(),
  )
  return new StreamTable(name, upkeep, meeting, () => current)
}

function timeless(name: string): OperatorError {
  return new OperatorError(
    `${name}: ttlMs says how long rows stay, and no eventTime stands above the changes that says how late it is. Put eventTime({ of, maxOutOfOrdernessMs }) before toTable, or leave ttlMs out.`,
  )
}

function full(name: string, keys: number): ConfigurationError {
  return new ConfigurationError(
    `${name}: the table holds ${keys} keys, as many as maxKeys allows, and another one has come. Raise maxKeys and start again: nothing is lost, it goes on there. ` +
      'Or have value give null for rows that are no longer needed.',
  )
}

function migrating(version: number, migrate: ToTableOptions<never, never>['migrate']) {
  return (saved: SavedOperator): SavedOperator => {
    const { version: savedVersion = 1 } = (saved.shape ?? {}) as { readonly version?: number }
    if (migrate === undefined || savedVersion >= version) return saved
    const keyed = saved.keyed.map(([key, row]) => [key, migrate(row ?? null, savedVersion)] as const)
    return { ...saved, shape: { version }, keyed }
  }
}
