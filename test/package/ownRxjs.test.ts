import { existsSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type EmptyProject, installIntoEmptyProject, npm } from '../support/emptyProject.ts'

const tsc = resolve(import.meta.dirname, '../../node_modules/@typescript/native/bin/tsc')
const flags = ['--strict', '--noEmit', '--module', 'nodenext', '--target', 'es2024', '--skipLibCheck', '--ignoreConfig']

const program = `import { filter, from, map } from 'rxjs'
import { batchFlush, dedupe, eventTime, ohlcv, parseFixed8, tumblingWindow, type Trade } from 'millrace'
const start = Date.UTC(2024, 7, 8)
const list: Trade[] = Array.from({ length: 150 }, (_, k) => ({
  type: 'trade', market: 'spot', symbol: 'BTCUSDT', tradeId: k + 1, price: parseFixed8('61837.63') ?? 0,
  quantity: parseFixed8('0.001') ?? 0, tradeTime: start + k * 1000, isBuyerMaker: k % 2 === 0,
}))
from([...list, ...list.slice(0, 10)]).pipe(
  filter((trade) => trade.market === 'spot'),
  eventTime({ of: (trade) => trade.tradeTime, maxOutOfOrdernessMs: 2_000 }),
  dedupe({ by: (trade) => trade.symbol, id: (trade) => trade.tradeId, ttlMs: 600_000 }),
  tumblingWindow({ name: '1m', sizeMs: 60_000, by: (trade) => trade.symbol }),
  ohlcv(),
  map((candle) => candle.tradeCount),
  batchFlush({ maxCount: 2 }),
).subscribe({ next: (batch) => console.log([...batch].join(' ')), complete: () => console.log('complete') })
`

const floats = `import { from } from 'rxjs'
import { eventTime, ohlcv, tumblingWindow } from 'millrace'
from([{ market: 'spot' as const, symbol: 'X', tradeId: 1, price: 61837.63, quantity: 0.5, tradeTime: 0, isBuyerMaker: false }])
  .pipe(eventTime({ of: (t) => t.tradeTime, maxOutOfOrdernessMs: 0 }), tumblingWindow({ name: '1m', sizeMs: 60_000, by: (t) => t.symbol }), ohlcv())
  .subscribe()
`

describe.each(['7.8.1', '7.5.7'])('in a project with rxjs %s of its own', (version) => {
  let project: EmptyProject

  beforeAll(async () => {
    project = await installIntoEmptyProject()
    await npm(project.directory, 'install', `rxjs@${version}`, '--no-audit', '--no-fund', '--prefer-offline')
    writeFileSync(join(project.directory, 'own.ts'), program)
    writeFileSync(join(project.directory, 'floats.ts'), floats)
  }, 240_000)

  afterAll(() => project?.remove())

  it('there is one rxjs', () => {
    expect(existsSync(join(project.directory, 'node_modules/millrace/node_modules/rxjs'))).toBe(false)
  })

  it('a pipeline of both compiles and runs', async () => {
    expect(await project.node(tsc, ...flags, 'own.ts')).toBe('')
    expect(await project.node('own.ts')).toBe('60 60\n30\ncomplete\n')
  }, 60_000)

  it('prices that are floats do not compile, and without types are told once', async () => {
    await expect(project.node(tsc, ...flags, 'floats.ts')).rejects.toThrow(/error TS2345.*price: number/)
    await expect(project.node('floats.ts')).rejects.toThrow('must be counts of 1e-8: make them of text by parseFixed8')
  }, 60_000)
})
