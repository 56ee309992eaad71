import { readFileSync } from 'node:fs'
import { Subject } from 'rxjs'
import { describe, expect, it } from 'vitest'
import type { Rejected } from '../../../src/runtime/letters/deadLetters.ts'
import type { TaskCut } from '../../../src/runtime/task/taskCut.ts'
import { ChainTask, savedFrom } from '../../support/tasks.ts'
import { written } from './inShort.ts'
import { byText, type Case, type Element, type Event, type Gone, operatorOf } from './operators.ts'
import { others } from './others.ts'

const cases = JSON.parse(readFileSync(new URL('cases.json', import.meta.url), 'utf8')) as readonly Case[]
const ours = [
  ...cases.filter(({ operator }) => !['inputMerge', 'combineWatermarks'].includes(operator)),
  ...others.map(written),
]

describe('what other engines and the rules say', () => {
  it.each(ours.map((one) => [one.id, one] as const))('%s, in plain RxJS', (_id, one) => {
    const late: Rejected[] = []
    const chain = operatorOf(one, (rejected) => late.push(rejected))
    const events = new Subject<Element>()
    const rows: unknown[] = []
    events.pipe(chain).subscribe((row) => rows.push(row))
    for (const event of one.events) events.next(event)
    events.complete()
    expect(final(one, rows)).toEqual(expected(one))
    expect(late.map(({ reason }) => reason)).toEqual(reasonsOf(one))
  })

  it.each(ours.map((one) => [one.id, one] as const))('%s, in a task that is restored after every event', (_id, one) => {
    const chain = operatorOf(one)
    const whole = new ChainTask<Element>(chain).push(...one.events)
    const letters = [...whole.cut().deadLetters]
    whole.task.closeOpen()
    letters.push(...whole.cut(0, true).deadLetters)
    expect(final(one, whole.out)).toEqual(expected(one))
    expect(letters.map(({ reason }) => reason)).toEqual(reasonsOf(one))
    const inShort = others.find(({ id }) => id === one.id)
    if (inShort !== undefined) {
      expect(letters.map(({ payload }) => (JSON.parse(String(payload)) as Event)[3])).toEqual(
        one.late.map(([, , value]) => value),
      )
    }

    const rows: unknown[] = []
    let saved: TaskCut[] = []
    let task = new ChainTask<Element>(chain)
    for (const event of one.events) {
      task.push(event)
      saved = [...saved, task.cut()]
      rows.push(...task.out)
      task = new ChainTask<Element>(chain, savedFrom(...saved))
    }
    task.task.closeOpen()
    rows.push(...task.out)
    expect(rows).toEqual(whole.out)
  })
})

/** What a table of the rows would hold: the newest of each, without those that were taken back. A window is the one of its key and start, or number. */
function final(one: Case, rows: readonly unknown[]): string[] {
  if (!one.operator.endsWith('Window')) return inOrderOf(one, rows)
  const newest = new Map<string, unknown>()
  for (const row of rows as readonly (readonly unknown[] | Gone)[]) {
    if ('gone' in row) newest.delete(JSON.stringify((row.gone as readonly unknown[]).slice(0, 2)))
    else newest.set(JSON.stringify(row.slice(0, 2)), row)
  }
  return sorted([...newest.values()])
}

function inOrderOf({ isOrdered = false }: Case, rows: readonly unknown[]): string[] {
  return isOrdered ? rows.map((row) => JSON.stringify(row)) : sorted(rows)
}

function sorted(rows: readonly unknown[]): string[] {
  return rows.map((row) => JSON.stringify(row)).sort()
}

/** Which value of a window comes first is not what the cases are about, but for sequences. */
function expected(one: Case): string[] {
  const { operator, rows } = one
  if (!operator.endsWith('Window')) return inOrderOf(one, rows)
  return sorted(rows.map((row) => row.map((part) => (Array.isArray(part) ? part.toSorted(byText) : part))))
}

function reasonsOf({ late }: Case): string[] {
  return late.map((one) => (typeof one[3] === 'string' && one[3].endsWith('late') ? one[3] : 'late'))
}
