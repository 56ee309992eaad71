import { describe, expect, test } from 'vitest'
import { UsageError } from '../../../src/cli/exit.ts'
import { namedSource, nextCommand, planRun } from '../../../src/cli/realtime/runPlan.ts'
import { banner } from '../../../src/cli/realtime/runTexts.ts'
import { resolveSettings } from '../../../src/cli/resolveSettings.ts'
import type { SettingName } from '../../../src/cli/settings.ts'

function settingsOf(flags: Partial<Record<SettingName, string>>) {
  return resolveSettings({ command: 'run realtime', flags, env: {}, envFile: {} })
}

const planOf = (flags: Partial<Record<SettingName, string>>, source: Parameters<typeof planRun>[0]) =>
  planRun(source, settingsOf(flags).values, { tapeTopic: 'crypto.trades.tape.0123456789ab' })

function sourceOf(flags: Partial<Record<SettingName, string>>) {
  const { values, origins } = settingsOf(flags)
  return namedSource(values, origins)
}

describe('namedSource', () => {
  test('a tape implies its source; without either it depends on the exchange', () => {
    expect(sourceOf({ tape: 'x' })).toBe('tape')
    expect(sourceOf({ source: 'simulator' })).toBe('simulator')
    expect(sourceOf({})).toBe(null)
  })

  test('settings that contradict each other are refused', () => {
    for (const flags of [
      { source: 'tape' },
      { source: 'binance', tape: 'x' },
      { untilEnd: 'true' },
      { source: 'simulator', untilEnd: 'true' },
      { tape: 'x', closeOpen: 'true' },
      { source: 'simulator', market: 'usdm' },
      { source: 'simulator', market: 'spot' },
      { source: 'simulator', timeUnit: 'us' },
      { source: 'none', symbols: 'BTCUSDT' },
    ])
      expect(() => sourceOf(flags), JSON.stringify(flags)).toThrow(UsageError)
  })
})

describe('planRun', () => {
  test('invented prices have a market and a data set of their own, whatever the settings say', () => {
    expect(planOf({ market: 'usdm' }, 'simulator')).toMatchObject({ market: 'simulated', dataSet: 'simulated' })
    expect(planOf({}, 'binance')).toMatchObject({ market: 'spot', dataSet: 'public', topic: 'crypto.trades.raw' })
    expect(planOf({ market: 'usdm' }, 'binance')).toMatchObject({ topic: 'crypto.trades.usdm.raw' })
  })

  test('a schema of one’s own holds the real prices, and one beside it the invented ones', () => {
    expect(planOf({}, 'binance')).toMatchObject({ schema: 'public' })
    expect(planOf({}, 'simulator')).toMatchObject({ schema: 'simulated', topic: 'crypto.trades.simulated.raw' })
    expect(planOf({ schema: 'prices' }, 'binance')).toMatchObject({ schema: 'prices' })
    expect(planOf({ schema: 'prices' }, 'simulator')).toMatchObject({ schema: 'prices_simulated' })
    expect(planOf({ schema: 'prices', market: 'simulated' }, 'none')).toMatchObject({ schema: 'prices_simulated' })
    for (const schema of ['simulated', 'prices_simulated'])
      expect(() => planOf({ schema }, 'binance'), schema).toThrow(UsageError)
    expect(() => planOf({ schema: 'x'.repeat(60) }, 'simulator')).toThrow(UsageError)
  })

  test('in the embedded log invented prices have a topic of their own, too', () => {
    expect(() => planOf({ logTopic: 'crypto.trades.raw' }, 'simulator')).toThrow(UsageError)
    expect(() => planOf({ logTopic: 'my.simulated' }, 'binance')).toThrow(UsageError)
  })

  test('in Kafka invented prices have a topic of their own by its name, and never meet real ones', () => {
    const kafka = { kafkaBrokers: ['127.0.0.1:9092'] }
    const plan = (source: Parameters<typeof planRun>[0], flags: Partial<Record<SettingName, string>> = {}) =>
      planRun(source, { ...settingsOf(flags).values, ...kafka }, { tapeTopic: 'crypto.trades.tape.0123456789ab' })
    const simulated = { topic: 'crypto.trades.simulated.raw', dataSet: 'simulated', market: 'simulated' }
    expect(plan('simulator')).toMatchObject(simulated)
    expect(plan('none', { market: 'simulated' })).toMatchObject({ ...simulated, symbols: null })
    expect(plan('none')).toMatchObject({ topic: 'crypto.trades.raw', dataSet: 'public', market: 'spot' })
    expect(plan('simulator', { logTopic: 'my.simulated' })).toMatchObject({ topic: 'my.simulated' })
    for (const [source, flags] of [
      ['simulator', { logTopic: 'crypto.trades.raw' }],
      ['none', { logTopic: 'crypto.trades.simulated.raw' }],
      ['binance', { logTopic: 'my.simulated' }],
      ['tape', { logTopic: 'my.simulated' }],
    ] as const)
      expect(() => plan(source, flags), `${source} ${flags.logTopic}`).toThrow(UsageError)
  })

  test('ingest brings a tape to where workers wait, with a position for each tape and reading', () => {
    const ingested = (flags: Partial<Record<SettingName, string>>) =>
      planRun('tape', settingsOf(flags).values, { tapeTopic: 'crypto.trades.tape.0123456789ab', isIngestOnly: true })
    expect(ingested({})).toMatchObject({ topic: 'crypto.trades.raw', producer: 'tape.0123456789ab' })
    expect(ingested({ market: 'usdm' })).toMatchObject({
      topic: 'crypto.trades.usdm.raw',
      producer: 'tape.0123456789ab.usdm',
    })
    expect(ingested({ logTopic: 'mine' })).toMatchObject({ topic: 'mine' })
  })

  test('a tape has a topic of its own, and each way of reading it too', () => {
    const topics = [
      planOf({}, 'tape'),
      planOf({ market: 'usdm' }, 'tape'),
      planOf({ timeUnit: 'us' }, 'tape'),
      planOf({ symbols: 'BTCUSDT' }, 'tape'),
      planOf({ symbols: 'BTCUSDT,ETHUSDT' }, 'tape'),
    ].map((plan) => plan.topic)
    expect(topics[0]).toBe('crypto.trades.tape.0123456789ab')
    expect(new Set(topics).size).toBe(topics.length)
    expect(planOf({ symbols: 'ETHUSDT,BTCUSDT' }, 'tape').topic).toBe(topics[4])
  })

  test('live takes three symbols, a tape all of its own', () => {
    expect(planOf({}, 'binance').symbols).toEqual(['BTCUSDT', 'ETHUSDT', 'BNBUSDT'])
    expect(planOf({}, 'tape').symbols).toBe(null)
  })
})

describe('banner', () => {
  const facts = {
    version: '1.2.3',
    isFallback: true,
    doctor: 'npx millrace doctor',
    columns: 100,
    dataDir: '/data',
    database: 'embedded',
    archive: 'file:///data/archive',
    log: null,
  }

  test('is loud about invented prices and says why', () => {
    const text = banner({ ...facts, plan: planOf({}, 'simulator') }).join('\n')
    expect(text).toContain('SIMULATED PRICES')
    expect(text).toContain('seed 1')
    expect(text).toContain('did not answer')
    expect(text).toContain('schema simulated')
  })

  test('fits a narrow terminal', () => {
    const text = banner({ ...facts, columns: 60, plan: planOf({}, 'simulator') })
    for (const line of text.slice(text.indexOf(''))) expect(line.length).toBeLessThanOrEqual(60)
  })

  test('names source, market, folder, database and archive', () => {
    const text = banner({ ...facts, plan: planOf({}, 'binance') }).join('\n')
    for (const part of ['millrace 1.2.3', 'binance spot', '/data', 'embedded', 'file:///data/archive', 'schema public'])
      expect(text).toContain(part)
    expect(text).not.toContain('SIMULATED')
  })
})

test('the next command finds what this run makes', () => {
  const { values, origins } = settingsOf({ dataDir: '/data', market: 'usdm' })
  const plan = planRun('binance', values)
  expect(nextCommand(plan, 'BTCUSDT', values, origins)).toBe(
    'npx millrace candles --symbol BTCUSDT --interval 1m --market usdm --data-dir /data',
  )
})
