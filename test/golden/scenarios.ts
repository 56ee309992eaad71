import type { Order } from './accounts.ts'
import type { Continuation, GoldenRecord } from './golden.ts'
import { textOf } from './json.ts'
import type { Latency } from './latency.ts'
import type { Numbered, PipelineName, Reading, Sale } from './pipelines.ts'
import { realtimeScenario } from './realtimeScenario.ts'

/** What a golden checkpoint is made of: the records before it with the cuts among them, and those after it. */
export interface Scenario extends Continuation {
  readonly pipeline: PipelineName
  readonly first: readonly GoldenRecord[]
  /** A cut after so many of the first records: a base, then deltas. The last is after the last record. */
  readonly cutsAfter: readonly number[]
}

const notJson = '{"broken'

/** Lays values out as a log with gaps; `cut` stands for a cut and, in the rest, for the restart. */
function scenario(
  pipeline: PipelineName,
  parts: { readonly first: readonly unknown[]; readonly rest: readonly unknown[]; readonly idleTo: number },
): Scenario {
  let offset = 1_000
  const record = (value: unknown): GoldenRecord => {
    offset += offset % 5 === 0 ? 3 : 1
    return {
      offset,
      timestamp: 1_768_000_000_000 + offset * 10,
      value: value === notJson ? notJson : textOf(value),
    }
  }
  const first = split(parts.first)
  const rest = split(parts.rest)
  return {
    pipeline,
    first: first.values.map(record),
    cutsAfter: first.cutsAfter,
    rest: rest.values.map(record),
    restartAfter: rest.cutsAfter[0] ?? 0,
    idleTo: parts.idleTo,
  }
}

const cut = Symbol('cut')

function split(steps: readonly unknown[]): { readonly values: unknown[]; readonly cutsAfter: number[] } {
  const values: unknown[] = []
  const cutsAfter: number[] = []
  for (const step of steps) {
    if (step === cut) cutsAfter.push(values.length)
    else values.push(step)
  }
  return { values, cutsAfter }
}

const reading = (id: string, at: number, kind = 'plain', note: string | null = null): Reading => ({
  id,
  at,
  amount: 9_007_199_254_740_993n + BigInt(at),
  detail: {
    kind,
    note,
    levels: [
      [at / 8, -12n],
      [0.1, 10n ** 20n],
    ],
  },
})

const heldLeaps = scenario('held-leaps', {
  first: [
    [reading('a', 10_000)],
    cut,
    [reading('b', 10_050, 'other'), reading('c', 10_120)],
    [],
    [reading('d', 10_900, 'other'), reading('once', 10_850, 'once')],
    cut,
    [reading('e', 11_250)],
    [reading('f', 11_400)],
    [reading('typo', 99_000_000, 'leaping', ''), reading('typo again', 99_000_100, 'leaping')],
    cut,
    [reading('leap', 60_000, 'leaping', 'zu früh?')],
    [reading('g', 11_300, 'other')],
    cut,
  ],
  rest: [
    [reading('too late', 10_600, 'once')],
    [reading('h', 60_050, 'other')],
    [reading('i', 60_100)],
    [reading('halt 1', 70_000, 'leaping')],
    cut,
    [reading('j', 60_500)],
    [reading('halt 2', 70_080, 'other')],
    [reading('halt 3', 69_950)],
    notJson,
    [{ ...reading('no time', 0), at: 'noon' }, reading('late', 61_000), reading('late again', 61_001)],
    [reading('last', 80_000, 'leaping'), reading('absurd', 9_000_000, 'leaping')],
    [reading('k', 70_100)],
  ],
  idleTo: 100_000,
})

const heldStart = scenario('held-leaps', {
  first: [notJson, cut, [reading('typo', 50_000, 'leaping')], cut, [reading('a', 7_000, 'plain', '$')], cut],
  rest: [
    [reading('b', 7_050)],
    cut,
    [reading('c', 7_100, 'other')],
    [reading('d', 7_900)],
    [reading('e', 8_200)],
    [reading('late', 7_990)],
  ],
  idleTo: 9_000,
})

const numbered = (key: string, id: string | number, at: number): Numbered => ({ key, id, at })

const dedupeSet = scenario('dedupe-set', {
  first: [
    numbered('a', 'x1', 1_000),
    numbered('b', 1, 1_010),
    numbered('a', 'x2', 1_100),
    numbered('b', 2, 1_150),
    numbered('ключ', '"q"\\@', 1_200),
    numbered('', 0, 1_250),
    cut,
    numbered('a', 'x1', 1_300),
    numbered('b', 3, 1_400),
    numbered('a', 'x3', 1_700),
    numbered('b', 'x3', 1_710),
    cut,
    numbered('b', 4, 2_100),
    numbered('a', 'x4', 2_400),
    numbered('ключ', '"q"\\', 2_430),
    numbered('b', 1, 2_450),
    cut,
  ],
  rest: [
    numbered('a', 'x3', 2_460),
    numbered('b', 4, 2_470),
    numbered('b', 3, 2_475),
    numbered('a', 'x1', 2_480),
    numbered('ключ', '"q"\\', 2_485),
    numbered('b', 1, 2_490),
    cut,
    numbered('a', 'x1', 2_500),
    numbered('b', 'x3', 2_505),
    numbered('', 0, 2_510),
    numbered('a', 'x5', 2_515),
    numbered('b', 5, 3_000),
    numbered('a', 'x4', 3_100),
    numbered('b', 4, 3_200),
    numbered('b', 4, 3_210),
    numbered('a', 'x1', 3_300),
    numbered('b', 3, 3_310),
  ],
  idleTo: 3_600,
})

const dedupeRanges = scenario('dedupe-ranges', {
  first: [
    ...[1, 2, 3, 7, 8, 20].map((id) => numbered('p', id, 1_000 + id)),
    ...[102, 100].map((id) => numbered('q', id, 1_040)),
    numbered('gone', 5, 1_050),
    cut,
    numbered('q', 104, 1_300),
    numbered('p', 4, 1_350),
    numbered('p', 2, 1_360),
    cut,
    numbered('p', 21, 2_000),
    numbered('q', 105, 2_050),
    numbered('p', 22, 2_400),
    numbered('p', 30, 2_410),
    numbered('q', 200, 2_415),
    ...[1, 2, 5].map((id) => numbered('quiet', id, 2_416)),
    numbered('r', -3, 2_420),
    numbered('r', -1, 2_425),
    numbered('r', 9_007_199_254_740_990, 2_430),
    cut,
  ],
  rest: [
    numbered('p', 3, 2_440),
    numbered('p', 7, 2_445),
    numbered('p', 5, 2_450),
    numbered('q', 104, 2_455),
    numbered('q', 103, 2_460),
    numbered('q', 100, 2_465),
    numbered('q', 1.5, 2_470),
    numbered('gone', 5, 2_475),
    numbered('r', -2, 2_480),
    numbered('r', -3, 2_485),
    cut,
    numbered('p', 6, 2_490),
    numbered('p', 5, 2_495),
    numbered('p', 21, 2_500),
    numbered('p', 29, 2_505),
    numbered('q', 103, 2_510),
    numbered('r', 9_007_199_254_740_991, 2_515),
    numbered('r', 9_007_199_254_740_990, 2_515),
    numbered('gone', 5, 2_520),
    ...[2, 4, 5].map((id) => numbered('quiet', id, 2_525)),
    numbered('q', 106, 3_150),
    numbered('q', 105, 3_160),
    numbered('p', 1, 3_450),
    numbered('p', 22, 3_520),
    numbered('p', 4, 3_580),
    numbered('p', 4, 3_790),
    numbered('p', 22, 3_795),
  ],
  idleTo: 4_200,
})

const sale = (shop: string, at: number, cents = BigInt(at), article = `article ${at % 3}`): Sale => ({
  shop,
  at,
  article,
  cents,
})

const lateWindows = scenario('late-windows', {
  first: [
    sale('north', 10_100),
    sale('"s"@1', 10_300),
    sale('kiosk', 10_400, -5n, ''),
    sale('north', 11_200, 10n ** 18n),
    sale('north', 10_900),
    sale('', 11_500),
    cut,
    sale('north', 12_500),
    sale('north', 10_950),
    sale('"s"@1', 13_100, 0n, ''),
    cut,
    sale('north', 14_400),
    sale('"s"@1', 14_450),
    sale('quiet', 14_460),
    sale('north', 13_700),
    cut,
  ],
  rest: [
    sale('kiosk', 10_500),
    sale('north', 11_300),
    sale('"s"@1', 13_200, 1n, ''),
    sale('north', 14_500, -(10n ** 18n)),
    sale('', 11_600),
    cut,
    sale('north', 11_350),
    sale('"s"@1', 12_700),
    notJson,
    sale('north', 15_300),
    sale('north', 11_400),
    sale('north', 13_800),
    sale('kiosk', 15_000),
    sale('', 11_700),
    sale('north', 18_000),
    sale('kiosk', 14_990),
  ],
  idleTo: 18_500,
})

const measured = (route: string, at: number, micros: bigint, caller: string): Latency => ({ route, caller, at, micros })

const accumulators = scenario('accumulators', {
  first: [
    measured('/a', 5_100, 120n, 'web'),
    measured('/b', 5_200, 90n, 'app'),
    measured('/a', 5_300, 120n, 'app'),
    measured('/gone', 5_400, 7n, 'web'),
    cut,
    measured('/a', 6_200, 9_007_199_254_740_993n, 'web'),
    measured('/b', 5_900, 80n, 'web'),
    cut,
    measured('/a', 7_650, 110n, 'tool'),
    measured('/b', 7_700, 100n, 'app'),
    measured('/quiet', 7_710, 50n, 'app'),
    measured('/a', 6_900, 3n, 'app'),
    cut,
  ],
  rest: [
    measured('/gone', 5_500, 8n, 'web'),
    measured('/a', 6_950, 4n, 'web'),
    measured('/b', 7_600, 101n, 'web'),
    measured('/a', 7_660, 109n, 'app'),
    cut,
    measured('/a', 6_960, 4n, 'bot'),
    measured('/b', 6_500, 1n, 'bot'),
    measured('/b', 8_300, 77n, 'app'),
    measured('/a', 7_100, 2n, 'bot'),
    measured('/gone', 8_310, 9n, 'bot'),
    measured('/a', 8_700, 70n, 'web'),
    measured('/a', 6_970, 5n, 'web'),
    measured('/a', 9_500, 60n, 'web'),
  ],
  idleTo: 9_600,
})

const pay = (account: string, at: number, cents: bigint): Order => ({ account, at, does: 'pay', cents })
const close = (account: string, at: number): Order => ({ account, at, does: 'close' })
const audit = (at: number): Order => ({ account: '', at, does: 'audit' })

const userState = scenario('user-state', {
  first: [
    pay('anna', 100, 9_007_199_254_740_993n),
    pay('bob', 110, -20n),
    pay('carl', 120, 0n),
    pay('dora', 130, 5n),
    cut,
    close('bob', 140),
    pay('anna', 150, 7n),
    cut,
    pay('bob', 160, 1n),
    close('carl', 170),
    close('dora', 175),
    pay('dora', 178, 9n),
    pay('emil', 180, 2n),
    close('emil', 190),
    cut,
  ],
  rest: [
    close('carl', 200),
    pay('bob', 210, 3n),
    close('dora', 220),
    pay('carl', 230, 11n),
    cut,
    audit(240),
    pay('anna', 250, -8n),
    pay('dora', 260, 6n),
    close('emil', 270),
    close('bob', 280),
    close('carl', 290),
    audit(300),
  ],
  idleTo: 400,
})

const twoSizes = scenario('two-sizes', {
  first: [
    sale('north', 8_100),
    sale('south', 8_200),
    sale('west', 8_400),
    sale('north', 9_300),
    cut,
    sale('north', 10_300),
    sale('east', 11_500),
    sale('north', 10_700),
    cut,
    sale('south', 12_250),
    sale('north', 12_300),
    sale('north', 11_800),
    cut,
  ],
  rest: [
    sale('south', 8_300),
    sale('west', 8_450),
    sale('north', 11_900),
    sale('east', 11_950),
    sale('south', 12_310),
    cut,
    sale('north', 11_960),
    sale('north', 9_900),
    sale('south', 12_900),
    sale('east', 11_970),
    sale('north', 14_080),
    sale('south', 11_999),
    sale('north', 14_200),
    sale('south', 11_998),
  ],
  idleTo: 14_500,
})

/** By the name of the file. */
export const scenarios: Readonly<Record<string, Scenario>> = {
  'held-leaps': heldLeaps,
  'held-start': heldStart,
  'dedupe-set': dedupeSet,
  'dedupe-ranges': dedupeRanges,
  'late-windows': lateWindows,
  accumulators,
  realtime: realtimeScenario(),
  'user-state': userState,
  'two-sizes': twoSizes,
}
