import type { Json } from '../../../src/runtime/json.ts'
import type { Case, Element, Event } from './operators.ts'

/** A case in one line each: what comes, what comes out, and what is set aside. */
export interface ShortCase {
  readonly id: string
  readonly operator: string
  readonly options: Readonly<Record<string, Json>>
  /** The test that says so, or the rule. */
  readonly from: string
  /** Where that engine answers otherwise, and why we do not. */
  readonly differs?: string
  /** `key:T5=value`, apart by blanks: `T`, or `L` and `R` for two streams, and the event time; `W5` is the watermark. Without a key it is `k`, without a value `t5`. */
  readonly events: string
  /** Of windows `key:[0,10)=value,value`, of counts `key:#0=value`, of joins `key:left+right@time`, of sequences `key:value>value` with a `?` behind one that timed out, otherwise `key:value@time`. */
  readonly rows: string
  /** Values that are set aside, in order; with a `~` before one that is late for some of its windows only. */
  readonly late?: string
  /** True where the order of rows is what the case is about. */
  readonly isOrdered?: boolean
}

/** The case as `cases.json` has them. */
export function written({ events, rows, late = '', options, ...rest }: ShortCase): Case {
  return {
    ...rest,
    options: options as Case['options'],
    events: words(events).map(eventOf),
    rows: words(rows).map(rowOf),
    late: words(late).map((one) =>
      one.startsWith('~') ? [0, 'k', one.slice(1), 'partly-late'] : [0, 'k', one, 'late'],
    ),
  }
}

function words(text: string): readonly string[] {
  return text.split(/\s+/).filter((word) => word !== '')
}

function eventOf(word: string): Element {
  const [, key = 'k', kind, at, value] = parts(word, /^(?:([^:=]*):)?([TLRW])(-?\d+)(?:=(.*))?$/)
  if (kind === 'W') return ['W', Number(at)]
  return [kind as Event[0], Number(at), key, jsonOf(value ?? `${kind}${at}`.toLowerCase())]
}

function rowOf(word: string): readonly Json[] {
  const [, key = 'k', rest = ''] = parts(word, /^(?:([^:=[#+>]*):)?(.*)$/)
  if (rest.startsWith('[')) {
    const [, start, end, values = ''] = parts(rest, /^\[(-?\d+),(-?\d+)\)=(.*)$/)
    return [key, Number(start), Number(end), values.split(',')]
  }
  if (rest.startsWith('#')) {
    const [, ordinal, values = ''] = parts(rest, /^#(\d+)=(.*)$/)
    return [key, Number(ordinal), values.split(',')]
  }
  if (rest.includes('>') || rest.endsWith('?')) {
    return [
      key,
      rest
        .replace('?', '')
        .split('>')
        .filter((one) => one !== ''),
      !rest.endsWith('?'),
    ]
  }
  if (!rest.includes('+')) {
    const [, value, at] = parts(rest, /^(.*)@(-?\d+)$/)
    return [key, jsonOf(value), Number(at)]
  }
  const [, left, right, at] = parts(rest, /^(.*)\+(.*)@(-?\d+)$/)
  return [key, jsonOf(left), jsonOf(right), Number(at)]
}

function jsonOf(text = ''): Json {
  return text === 'null' ? null : text
}

function parts(word: string, shape: RegExp): readonly (string | undefined)[] {
  const found = shape.exec(word)
  if (found === null) throw new Error(`${word} is no ${shape}`)
  return found
}
