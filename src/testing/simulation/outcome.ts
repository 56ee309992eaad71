import { createHash } from 'node:crypto'
import type { Json } from '../../runtime/json.ts'
import { type KeyedPair, readFrames } from '../../runtime/state/savedState.ts'
import type { SavedCheckpoint } from '../../runtime/store/checkpoint.ts'
import type { MemoryCheckpointStore } from '../memoryCheckpointStore.ts'
import type { MemoryObjectStore } from '../memoryObjectStore.ts'
import { text } from './lineText.ts'
import type { Receivers } from './receivers.ts'

/** All that a run leaves behind, as sorted lines by what they belong to: `table candles`, `topic alerts`, `dead letters`, `objects`. */
export type Outcome = ReadonlyMap<string, readonly string[]>

/** Reads the outcome out of the stores and the receivers. Generations are left out, because they count the starts. */
export async function readOutcome(
  store: MemoryCheckpointStore,
  objects: MemoryObjectStore,
  receivers: Receivers,
): Promise<Outcome> {
  const outcome = new Map<string, readonly string[]>(await receivers.received())
  for (const name of store.tableNames) outcome.set(`table ${name}`, store.rows(name).map(text))
  outcome.set('dead letters', store.deadLetters().map(text))
  outcome.set('manifest', store.objects().map(text))
  outcome.set('idle advances', store.idleAdvances().map(text))
  outcome.set('merge notes', store.storedMergeNotes().map(text))
  const stored: string[] = []
  for await (const { key } of objects.list('')) stored.push(`${key} ${sha256Of(await objects.get(key))}`)
  outcome.set('objects', stored)
  outcome.set(
    'state',
    store.state.flatMap(({ task, saved }) =>
      saved === null ? [] : stateLines(`${task.topic}/${task.partition}`, saved),
    ),
  )
  return outcome
}

/** What differs between two outcomes, each line with a `-` (only in the first) or `+` (only in the second); empty when nothing does. */
export function differencesOf(first: Outcome, second: Outcome): string[] {
  const names = [...new Set([...first.keys(), ...second.keys()])]
  return names.flatMap((name) => {
    const left = first.get(name) ?? []
    const right = second.get(name) ?? []
    const inLeft = new Set(left)
    const inRight = new Set(right)
    return [
      ...left.filter((line) => !inRight.has(line)).map((line) => `- ${name}: ${line}`),
      ...right.filter((line) => !inLeft.has(line)).map((line) => `+ ${name}: ${line}`),
      ...(left.length === right.length ? [] : [`  ${name}: ${left.length} lines, then ${right.length}`]),
    ]
  })
}

function sha256Of(body: Buffer | null): string {
  return createHash('sha256')
    .update(body ?? 'absent')
    .digest('hex')
}

/** The state as it would be restored: bases and deltas applied, whatever their number, keys in order. */
export function stateLines(task: string, saved: SavedCheckpoint): string[] {
  const others = (saved.others ?? []).map((other) => ` and ${other?.nextOffset} archive ${other?.archiveNextOffset}`)
  const lines = [
    `${task} nextOffset ${saved.nextOffset} watermark ${saved.watermark} archive ${saved.archiveNextOffset}${others.join('')}`,
  ]
  for (const [name, operator] of readFrames(saved.state)) {
    if (operator.snapshot !== null && !isEmptyNumbering(name, operator.snapshot))
      lines.push(`${task} ${name} ${text(operator.snapshot)}`)
    for (const [key, value] of applied(operator.keyed)) lines.push(`${task} ${name} ${key} ${text(value)}`)
    for (const [map, pairs] of Object.entries(operator.maps ?? {})) {
      for (const [key, value] of applied(pairs)) lines.push(`${task} ${name} ${map} ${key} ${text(value)}`)
    }
  }
  return lines.sort()
}

/** What a task keeps under no operator's name: the numbers of the last record's letters. A delta says that there are none, a base leaves them out. */
function isEmptyNumbering(name: string, snapshot: Json): boolean {
  return name === '' && text(snapshot) === '{"ordinals":{}}'
}

function applied(pairs: readonly KeyedPair[]): Map<string, Json> {
  const state = new Map<string, Json>()
  for (const [key, value] of pairs) {
    if (value === undefined) state.delete(key)
    else state.set(key, value)
  }
  return state
}
