import { describe, expect, test } from 'vitest'
import { candlePanel, simulatedCaution } from '../../src/cli/realtime/candlePanel.ts'
import { RateMeter } from '../../src/console/rate.ts'
import { renderLine } from '../../src/console/renderLine.ts'
import { renderTable } from '../../src/console/renderTable.ts'
import { lineScreen, tableScreen } from '../../src/console/screen.ts'
import type { ConsoleSnapshot } from '../../src/console/snapshot.ts'
import { outletsBrief } from '../../src/console/workTables.ts'
import type { CandleLine } from '../../src/queries/openCandles.ts'

const candle: CandleLine = {
  market: 'spot',
  symbol: 'BTCUSDT',
  openTime: Date.UTC(2024, 7, 8, 23, 55),
  open: '61837.63000000',
  high: '61840',
  low: '61800.1',
  close: '61837.63',
  volume: '12.34567',
  tradeCount: 1024,
  isClosed: false,
}

const snapshot: ConsoleSnapshot = {
  title: 'millrace · realtime · binance spot',
  caution: null,
  panel: candlePanel([candle, { ...candle, symbol: 'ETHUSDT', close: '2683.5', isClosed: true }]),
  records: 123_456,
  recordsPerS: 987.6,
  watermarkLagMs: 2100,
  checkpointAgeMs: 240,
  deadLetters: 3,
  logLag: 12,
  progress: null,
  waitingFor: null,
  inputs: [],
  operators: [],
}

describe('renderTable', () => {
  test('shows the open candle of each symbol and how the pipeline is', () => {
    expect(renderTable(snapshot, 120)).toEqual([
      'millrace · realtime · binance spot',
      '',
      'symbol   minute      open      high       low     close    volume  trades',
      'BTCUSDT  23:55*  61837.63  61840.00  61800.10  61837.63  12.34567   1,024',
      'ETHUSDT   23:55  61837.63  61840.00  61800.10   2683.50  12.34567   1,024',
      '* this minute is not over',
      '',
      '123,456 records · 988 records/s · 12 behind · watermark 2 s behind · checkpoint 240 ms ago · 3 dead letters',
    ])
  })

  test('does not let columns jump when a value gets shorter', () => {
    const widest = new Map<string, number>()
    const wide = renderTable(snapshot, 120, 30, widest)
    const narrow = { ...snapshot, panel: candlePanel([{ ...candle, open: '1', volume: '2' }]) }
    expect(renderTable(narrow, 120, 30, widest)[2]).toBe(wide[2])
    expect(renderTable(narrow, 120)[2]).not.toBe(wide[2])
  })

  test('never is wider than the terminal, and keeps symbol, close and trades', () => {
    for (const width of [20, 40, 60, 79]) {
      const lines = renderTable(snapshot, width)
      for (const line of lines) expect(line.length).toBeLessThanOrEqual(width)
    }
    expect(renderTable(snapshot, 40)[2]).toMatch(/^symbol .*close .*trades$/)
  })

  test('says of invented prices in every frame that they are', () => {
    expect(renderTable({ ...snapshot, caution: simulatedCaution, panel: candlePanel([]) }, 100)).toContain(
      simulatedCaution.text,
    )
    expect(renderLine({ ...snapshot, caution: simulatedCaution }, 0)).toContain('SIMULATED')
  })

  test('fits a screen with any number of symbols', () => {
    const many = Array.from({ length: 500 }, (_, index) => ({ ...candle, symbol: `S${index}` }))
    for (const [width, height] of [
      [120, 24],
      [60, 12],
      [200, 60],
    ] as const) {
      const lines = renderTable({ ...snapshot, panel: candlePanel(many), waitingFor: 'x' }, width, height)
      expect(lines.length).toBeLessThanOrEqual(height)
      expect(lines.join('\n')).toMatch(/and \d+ more symbols/)
    }
  })

  test('says what is waited for and how far a tape is', () => {
    const progress = { done: 250, total: 1000, unit: 'bytes', leftMs: 65_000 } as const
    const lines = renderTable({ ...snapshot, progress, waitingFor: 'PostgreSQL, 14 s' }, 120)
    expect(lines).toContain('25 % (250 B of 1.0 kB), 1 min 05 s left')
    expect(lines).toContain('Waiting for PostgreSQL, 14 s')
    expect(renderLine({ ...snapshot, waitingFor: 'PostgreSQL, 14 s' }, 0)).toContain('waiting for PostgreSQL, 14 s')
  })

  const inputs = [
    { name: 'orders', topic: 'orders.v2', nextOffset: 1_200, lagRecords: 10, lagMs: 61_000 },
    { name: 'prices', topic: 'prices', nextOffset: 8, lagRecords: 0, lagMs: null },
  ]
  const operators = [
    {
      name: 'dedupe',
      valuesIn: 1_000,
      valuesOut: 900,
      keyCount: 3,
      openUntil: Date.UTC(2024, 7, 8, 23, 55),
      heldBy: null,
    },
    { name: '1m', valuesIn: 900, valuesOut: 900, keyCount: 0, openUntil: null, heldBy: null },
  ]

  test('shows several inputs, and operators, where there is room for all of them', () => {
    const tall = renderTable({ ...snapshot, inputs, operators }, 120, 20)
    expect(tall.slice(7, -2)).toEqual([
      'input       topic  next offset  records behind  time behind',
      'orders  orders.v2        1,200              10   1 min 01 s',
      'prices     prices            8               0            -',
      '',
      'operator  values in  values out  keys           open until',
      'dedupe        1,000         900     3  2024-08-08 23:55:00',
      '1m              900         900     0                    -',
    ])
    expect(renderTable({ ...snapshot, inputs, operators }, 120, 14).join('\n')).not.toContain('operator')
    expect(renderTable({ ...snapshot, inputs: inputs.slice(0, 1), operators }, 120, 40).join('\n')).not.toContain(
      'topic',
    )
    const held = [{ ...operators[0]!, name: 'upstreamTime', heldBy: 'task 1 of 2 of pipeline spread' }]
    expect(renderTable({ ...snapshot, inputs, operators: held }, 120, 20)).toContain(
      'upstreamTime waits for task 1 of 2 of pipeline spread',
    )
    for (let height = 12; height < 24; height++) {
      const lines = renderTable({ ...snapshot, inputs, operators, waitingFor: 'x' }, 60, height)
      expect(lines.length).toBeLessThanOrEqual(height)
    }
  })

  test('says on a line which input is behind, and what an outlet has to send', () => {
    const brief = outletsBrief([
      { outlet: 'paid', kind: 'rows', to: 'paid', count: 8, perS: 1, waiting: 0, refused: 0 },
      { outlet: 'pager', kind: 'messages', to: 'https://a', count: 3, perS: 1, waiting: 2, refused: 1 },
    ])
    const line = renderLine({ ...snapshot, inputs, panel: { ...snapshot.panel, brief } }, 0)
    expect(line).toContain('12 behind (orders 10)')
    expect(line).toContain('paid 8, pager 3 (2 waiting, 1 refused)')
  })

  test('before the first trade it says what it waits for', () => {
    const empty = { ...snapshot, panel: candlePanel([]), watermarkLagMs: null, checkpointAgeMs: null }
    const text = renderTable(empty, 120).join('\n')
    expect(text).toContain('waiting for the first trades')
    expect(text).toContain('watermark not yet · checkpoint not yet')
  })
})

describe('screens', () => {
  test('a table is redrawn in place and lines said stay above it', () => {
    const written: string[] = []
    const screen = tableScreen({ write: (text) => written.push(text), columns: 110, rows: 30 })
    screen.show(snapshot, 0)
    screen.show(snapshot, 1000)
    expect(written[0]).not.toContain('\x1b[8F')
    expect(written[1]?.startsWith('\x1b[8F')).toBe(true)
    screen.say('first candle')
    expect(written[2]).toBe('\x1b[8F\x1b[0Jfirst candle\n')
    screen.end()
    screen.show(snapshot, 2000)
    expect(written.at(-1)).toBe('\x1b[?25h')
  })

  test('lines come every few seconds, and at once when what is waited for changes', () => {
    const written: string[] = []
    const screen = lineScreen({ write: (text) => written.push(text), columns: 80, rows: 24 }, 5000)
    screen.show(snapshot, 0)
    screen.show(snapshot, 1000)
    expect(written).toHaveLength(1)
    screen.show({ ...snapshot, waitingFor: 'PostgreSQL, 1 s' }, 2000)
    screen.show({ ...snapshot, waitingFor: 'PostgreSQL, 2 s' }, 3000)
    expect(written).toHaveLength(2)
    screen.show(snapshot, 4000)
    screen.show(snapshot, 9000)
    expect(written).toHaveLength(4)
    expect(written.join('')).not.toContain('\x1b')
  })
})

describe('RateMeter', () => {
  test('gives the rate over its window', () => {
    const meter = new RateMeter(2000)
    expect(meter.sample(0, 0)).toBe(0)
    expect(meter.sample(1000, 500)).toBe(500)
    expect(meter.sample(2000, 1500)).toBe(750)
    expect(meter.sample(10_000, 1500)).toBe(0)
  })
})
