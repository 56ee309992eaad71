import type { DeadLetter } from '../../runtime/store/checkpoint.ts'
import type { Table } from '../../runtime/store/table.ts'
import { rowText } from './tableRows.ts'

/** What `finish` found. */
export interface Findings {
  /** The names of the inputs. */
  readonly inputs: readonly string[]
  readonly open: readonly { readonly name: string; readonly until: number }[]
  readonly watermark: number | null
  readonly unreachedCrashes: readonly number[]
  readonly pushed: number
  readonly letters: readonly DeadLetter[]
  readonly differences: readonly string[]
}

const shownAtMost = 10

/** The findings as a table for a human, or null when there are none. */
export function findingsText(pipeline: string, findings: Findings): string | null {
  const lines = [
    ...findings.differences.map((difference) => `differs  ${difference}`),
    ...findings.open.map(({ name, until }) => `open     ${name}: ${openText(until, findings.watermark)}`),
    ...findings.unreachedCrashes.map(
      (number) =>
        `crash    after ${findings.inputs.length === 1 ? 'offset' : 'record'} ${number} was never reached: ${findings.pushed} records were pushed`,
    ),
    ...findings.letters.slice(0, shownAtMost).map((letter) => {
      return `letter   ${placeText(letter, findings.inputs)}, ${letter.operator}: ${letter.reason}: ${letter.detail}`
    }),
  ]
  if (findings.letters.length > shownAtMost) lines.push(`letter   and ${findings.letters.length - shownAtMost} more`)
  if (lines.length === 0) return null
  const advice = [
    ...(findings.differences.length > 0
      ? [
          '"differs" means state that is not saved, a result that depends on when a checkpoint falls, or a callback that keeps the value it is asked about (`of`, `by` and `id` may only read it).',
        ]
      : []),
    ...(findings.open.length > 0
      ? ['"open" closes by a later record, by advanceTo or by closeOpen(); finish({ mayBeOpen: true }) leaves it.']
      : []),
    ...(findings.letters.length > 0 ? ['"letter" is accepted by looking at deadLetters() in the test.'] : []),
  ]
  return [`pipeline ${pipeline} is not finished:`, ...lines.map((line) => `  ${line}`), ...advice].join('\n')
}

function placeText({ input = 0, offset }: DeadLetter, inputs: readonly string[]): string {
  return inputs.length === 1 ? `offset ${offset}` : `${inputs[input]} offset ${offset}`
}

function openText(until: number, watermark: number | null): string {
  const at = new Date(until).toISOString()
  if (watermark === null) return `waits for the watermark to reach ${at}; no record has moved it yet`
  return `the watermark is ${until - watermark} ms short of ${at}`
}

/** The rows that only one of both runs has. */
export function describeDifference(
  name: string,
  table: Table<never>,
  restored: readonly unknown[],
  plain: readonly unknown[],
): string[] {
  const texts = (rows: readonly unknown[]) => rows.map((row) => rowText(table, row))
  return onlyInOne(name, texts(restored), texts(plain))
}

/** The texts that only one of both runs has, or has more often. */
export function onlyInOne(name: string, restored: readonly string[], plain: readonly string[]): string[] {
  const left = multiset(restored)
  const right = multiset(plain)
  const lines: string[] = []
  for (const [text, count] of left)
    if (count > (right.get(text) ?? 0)) lines.push(`${name}: only when restored: ${text}`)
  for (const [text, count] of right)
    if (count > (left.get(text) ?? 0)) lines.push(`${name}: only uninterrupted: ${text}`)
  return lines.slice(0, shownAtMost)
}

function multiset(texts: readonly string[]): Map<string, number> {
  const counts = new Map<string, number>()
  for (const text of texts) counts.set(text, (counts.get(text) ?? 0) + 1)
  return counts
}
