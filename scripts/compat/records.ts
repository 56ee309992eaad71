/** A record as the cases compare it: bytes in hex, null for none. Headers in their order. */
export interface PlainRecord {
  readonly key: string | null
  readonly value: string | null
  readonly headers: readonly (readonly [key: string, value: string | null])[]
}

/** What a producer is to write: deterministic, so that the truth needs no store. */
export interface RecordsWanted {
  readonly variant: string
  readonly from: number
  readonly count: number
  readonly hasKeys: boolean
  readonly hasHeaders: boolean
}

const hex = (text: string) => Buffer.from(text).toString('hex')

export function recordsOf({ variant, from, count, hasKeys, hasHeaders }: RecordsWanted): readonly PlainRecord[] {
  return Array.from({ length: count }, (_, i) => {
    const n = from + i
    return {
      key: hasKeys ? hex(`key ${n % 7} ü`) : null,
      value: hex(JSON.stringify({ variant, n, text: 'grün 株 '.repeat(1 + (n % 20)) })),
      headers: hasHeaders
        ? ([
            ['variant', hex(variant)],
            ['empty', ''],
            ['n', hex(String(n))],
          ] as const)
        : [],
    }
  })
}

/** One line a record, sorted: what was written and what was read are the same where these are. */
export function linesOf(records: readonly PlainRecord[]): string[] {
  return records.map((record) => JSON.stringify([record.key, record.value, record.headers])).sort()
}

/** Throws what differs, in a few words. */
export function requireSame(what: string, wanted: readonly PlainRecord[], found: readonly PlainRecord[]): void {
  const [left, right] = [linesOf(wanted), linesOf(found)]
  if (left.length === right.length && left.every((line, i) => line === right[i])) return
  const inLeft = new Set(left)
  const inRight = new Set(right)
  const missing = left.filter((line) => !inRight.has(line))
  const strange = right.filter((line) => !inLeft.has(line))
  const first = missing[0] ?? strange[0] ?? 'the same, some of them more than once'
  throw new Error(
    `${what}: ${right.length} records instead of ${left.length}, ${missing.length} missing, ${strange.length} that nobody wrote; first: ${first.slice(0, 160)}`,
  )
}
