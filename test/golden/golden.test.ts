import { describe, expect, it } from 'vitest'
import type { Json, SavedCheckpoint } from '../../src/index.ts'
import { deletedKeys, framesOf, isDeletion, type SavedState, savedStates, withOperators } from './frames.ts'
import { type Golden, type Results, readGoldens } from './golden.ts'
import { goOn } from './run.ts'

const goldens = readGoldens()

const secondRestart = (golden: Golden) => (pushed: number) => pushed === golden.restartAfter

describe.each(goldens)('the checkpoint of %s, %s', (_release, name, golden) => {
  it('is gone on from with the same rows and dead letters, over a second restart', () => {
    const results = goOn(golden.pipeline, golden.saved, golden, secondRestart(golden))
    expect(results).toEqual(mended(name, golden.expected))
  })

  it('is gone on from with the same final rows and dead letters when the task restarts after every record', () => {
    const results = goOn(golden.pipeline, golden.saved, golden, () => true)
    expect(final(results)).toEqual(final(mended(name, golden.expected)))
  })
})

/** What 0.1.0 made of the rest, without its fault: an idle step went past a held value that time had come up to, which was late then. */
function mended(name: string, expected: Results): Results {
  if (name !== 'held-leaps') return expected
  const isLast = ([offset]: Results['deadLetters'][number]) => offset === 1033
  return {
    rows: { ...expected.rows, seconds: [...(expected.rows.seconds ?? []), ['leaping', 80_000, 1, 1]] },
    deadLetters: [...expected.deadLetters.filter((letter) => !isLast(letter)), [1033, 'eventTime', 'time-leap', 0]],
  }
}

const first = goldens.filter(([release]) => release === 'v0.1.0')

describe('the golden checkpoints of v0.1.0', () => {
  it.each(first)(
    '%s, %s: a base and at least two deltas, in the middle of a log',
    (_release, _name, { saved, rest }) => {
      expect(saved.state.map(({ kind }) => kind).join(' ')).toMatch(/^base delta delta( delta)*$/)
      expect(rest[0]?.offset).toBeGreaterThanOrEqual(saved.nextOffset)
      expect(saved.nextOffset).toBeGreaterThan(0)
    },
  )

  it.each(first)('%s, %s: the state of every operator decides about the results', (_release, _name, golden) => {
    for (const lost of savedStates(golden.saved).keys()) {
      const saved = withOperators(golden.saved, (operators) => operators.filter(({ name }) => name !== lost))
      expect(outcomeOf(golden, saved), lost).not.toEqual(golden.expected)
    }
  })

  // A set of ids passes an id that it should have forgotten as well, so its deletions only bound its memory.
  it.each(first.filter(([, name]) => name !== 'held-start' && name !== 'dedupe-set'))(
    '%s, %s: a deletion that a restore overlooks changes the results',
    (_release, _name, golden) => {
      const saved = withOperators(golden.saved, (operators) =>
        operators.map((operator) => ({ ...operator, keyed: operator.keyed.filter((pair) => !isDeletion(pair)) })),
      )
      expect(outcomeOf(golden, saved)).not.toEqual(golden.expected)
    },
  )

  it('held-leaps: values that leap, with bigints and nested values, two of them of one record', () => {
    const { saved, expected } = goldenOf('held-leaps')
    const held = heldIn(saved)
    expect(held.length).toBeGreaterThanOrEqual(3)
    expect(held.map(({ origin }) => origin.ordinal)).toContain(1)
    for (const { value } of held) {
      expect(JSON.stringify(value)).toMatch(/"amount":\{"\$bigint":"\d{16,}"\}.*"levels":\[\[[\d.]+,\{"\$bigint"/)
    }
    expect(saved.watermark).not.toBeNull()
    expect(lettersOf(expected, saved.nextOffset)).toContain('seconds late')
    expect(lettersOf(expected, 0, saved.nextOffset)).toEqual(['eventTime time-leap', 'eventTime time-leap'])
  })

  it('held-start: time has not begun, and what would begin it is held', () => {
    const { saved, expected } = goldenOf('held-start')
    expect(saved.watermark).toBeNull()
    expect(heldIn(saved).length).toBe(2)
    expect(lettersOf(expected, 0, saved.nextOffset)).toEqual(['eventTime time-leap'])
  })

  it('dedupe-set: ids that are text and ids that are numbers, of several keys, some forgotten and seen again', () => {
    const { saved } = goldenOf('dedupe-set')
    const ids = [...stateOf(saved, 'dedupe').keyed.keys()]
    expect(ids).toEqual(expect.arrayContaining(['a\u0000x3', 'b\u0000x3', 'b\u00004', 'ключ\u0000"q"\\']))
    expect(deletedKeys(saved)).toEqual(expect.arrayContaining(['a\u0000x1', '\u00000']))
  })

  it('dedupe-ranges: several runs a key, a run that is forgotten, a key that is forgotten', () => {
    const { saved } = goldenOf('dedupe-ranges')
    const runs = [...stateOf(saved, 'dedupe').keyed.values()] as (readonly Json[])[]
    expect(runs.map((ranges) => ranges.length).toSorted()).toEqual([2, 2, 3, 3])
    expect(deletedKeys(saved)).toEqual(['gone'])
    expect(framesOf(saved)[0]?.[0]?.keyed[0]?.[1]).toContainEqual([7, 8, 1_008])
    expect(JSON.stringify(runs)).not.toContain('[7,8,')
  })

  it('late-windows: several windows a key, fired and not, with all of plain state in their accumulators', () => {
    const { saved, expected } = goldenOf('late-windows')
    expect(revisionsOf(saved, 'seconds').get('north')).toEqual([1, 1, 0, 1])
    const text = JSON.stringify([...stateOf(saved, 'aggregateWindow').keyed.values()])
    expect(text).toMatch(/"prices":\[\{"\$bigint":"\d+"\}.*"byArticle":\{"article 2":\{"count":1,"cents":\{"\$bigint"/)
    expect(text).toContain('"article":null')
    expect(deletedKeys(saved)).toEqual(expect.arrayContaining(['kiosk', 'kiosk@10000', 'north@10000']))
    expect(expected.rows.takings?.map(([, , revision]) => revision)).toEqual(expect.arrayContaining([1, 2, 3]))
    expect(lettersOf(expected, saved.nextOffset)).toContain('seconds late')
  })

  it('accumulators: numbers, and what a codec makes of a class', () => {
    const { saved } = goldenOf('accumulators')
    expect(stateOf(saved, 'counted').keyed.get('/a@6000')).toEqual(['seconds', '/a', 6_000, 7_000, true, 2])
    expect(stateOf(saved, 'latency').keyed.get('/a@6000')).toEqual([
      ...['seconds', '/a', 6_000, 7_000, true],
      { m: '9007199254740993x1 3x1', c: ['web', 'app'] },
    ])
    expect(deletedKeys(saved)).toEqual(expect.arrayContaining(['/gone', '/gone@5000']))
  })

  it('realtime: every operator has written its state, open candles and fired ones, counts beyond 2^53', () => {
    const { saved, expected } = goldenOf('realtime')
    const written = new Set(framesOf(saved).flatMap((frame) => frame.map(({ name }) => name)))
    expect([...written]).toHaveLength(14)
    const live = [...savedStates(saved).keys()]
    expect(live).toEqual(expect.arrayContaining(['eventTime', 'dedupe', '1m', 'ohlcv-1m', '5m', 'rollup-5m']))
    expect(live).toEqual(expect.arrayContaining(['1h', 'rollup-1h', '4h', 'rollup-4h']))
    expect(revisionsOf(saved, '1m').get('BTCUSDT')).toEqual([1, 0])
    expect(JSON.stringify(heldIn(saved))).toContain('"quantity":{"$bigint":')
    expect(JSON.stringify(stateOf(saved, 'ohlcv-1m').keyed.get('SHIBUSDT@1772323020000'))).toMatch(
      /,"\d{17}","\d{17}",/,
    )
    expect(deletedKeys(saved)).toEqual(expect.arrayContaining(['ETHUSDT', 'SHIBUSDT@1772319600000']))
    expect(Object.values(expected.rows)).toHaveLength(6)
    for (const rows of Object.values(expected.rows)) {
      expect(rows.map((row) => row.at(-1))).toEqual(expect.arrayContaining([0, 1, 2, 3]))
    }
    expect(expected.deadLetters.map(([, , reason]) => reason)).toEqual(['time-leap', 'late', 'malformed'])
  })

  it('user-state: keyed state with deletions, and snapshots', () => {
    const { saved } = goldenOf('user-state')
    const { keyed, snapshot } = stateOf(saved, 'accounts')
    expect([...keyed.keys()].toSorted()).toEqual(['anna', 'bob', 'dora'])
    expect(keyed.get('anna')).toMatchObject({ balance: { $bigint: '9007199254741000' } })
    expect(snapshot).toMatchObject({ opened: 7, closed: ['carl', 'dora', 'emil'] })
    expect(stateOf(saved, 'numbered').snapshot).toBe(12)
    expect(deletedKeys(saved)).toEqual(['bob', 'carl', 'emil'])
  })

  it('two-sizes: windows of both sizes, each with its own allowed lateness', () => {
    const { saved, expected } = goldenOf('two-sizes')
    expect(revisionsOf(saved, 'short').get('north')).toEqual([0, 1])
    expect(revisionsOf(saved, 'long').get('north')).toEqual([2, 0])
    expect(deletedKeys(saved)).toEqual(expect.arrayContaining(['south', 'south@8000']))
    const letters = expected.deadLetters.map(([, operator]) => operator)
    expect(letters).toEqual(expect.arrayContaining(['short', 'long']))
  })
})

/** What becomes of a checkpoint that is not whole: results, or an error. */
function outcomeOf(golden: Golden, saved: SavedCheckpoint): Results | string {
  try {
    return goOn(golden.pipeline, saved, golden, secondRestart(golden))
  } catch (error) {
    return String(error)
  }
}

/** Without provisional rows, which a cut makes: their revision, the last column, is 0. */
function final({ rows, deadLetters }: Results): Results {
  const entries = Object.entries(rows).map(([table, all]) => [table, all.filter((row) => row.at(-1) !== 0)] as const)
  return { rows: Object.fromEntries(entries), deadLetters }
}

function goldenOf(name: string): Golden {
  const found = first.find(([, candidate]) => candidate === name)
  if (found === undefined) throw new Error(`v0.1.0 has no golden checkpoint ${name}`)
  return found[2]
}

function stateOf(saved: SavedCheckpoint, operator: string): SavedState {
  const state = savedStates(saved).get(operator)
  if (state === undefined) throw new Error(`${operator} has no saved state`)
  return state
}

interface SavedHeld {
  readonly value: Json
  readonly origin: { readonly offset: number; readonly ordinal: number }
}

function heldIn(saved: SavedCheckpoint): readonly SavedHeld[] {
  return (stateOf(saved, 'eventTime').snapshot as unknown as { readonly held: readonly SavedHeld[] }).held
}

/** The revisions of the windows of each key, in the order in which they were opened. */
function revisionsOf(saved: SavedCheckpoint, operator: string): Map<string, number[]> {
  const entries = [...stateOf(saved, operator).keyed].map(([key, windows]): [string, number[]] => [
    key,
    (windows as unknown as readonly (readonly [string, number, number])[]).map(([, , revision]) => revision),
  ])
  return new Map(entries)
}

/** Operator and reason of the letters of these offsets. Those below the checkpoint are of values that it held. */
function lettersOf({ deadLetters }: Results, from: number, until = Number.POSITIVE_INFINITY): string[] {
  return deadLetters
    .filter(([offset]) => offset >= from && offset < until)
    .map(([, operator, reason]) => `${operator} ${reason}`)
}
