import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Duration, durationMs } from '../../src/runtime/duration.ts'
import { ConfigurationError } from '../../src/runtime/errors.ts'
import { definePipeline } from '../../src/runtime/pipeline/pipeline.ts'

const units = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const
const unit = fc.constantFrom(...(Object.keys(units) as (keyof typeof units)[]))

/** As a user without a compiler writes it. */
const anything = (value: unknown) => value as Duration

describe('a duration', () => {
  it('that is a number is ms as it is', () => {
    fc.assert(fc.property(fc.double({ noNaN: true }), (ms) => void expect(durationMs(ms, 'x')).toBe(ms)))
  })

  it.each([
    ['250ms', 250],
    ['30s', 30_000],
    ['5m', 300_000],
    ['4h', 14_400_000],
    ['1d', 86_400_000],
    ['0.5s', 500],
    ['1.5h', 5_400_000],
    ['0.001s', 1],
    ['0ms', 0],
    ['-0s', 0],
    ['-1s', -1_000],
  ] as const)('%s is %i ms', (text, ms) => {
    expect(durationMs(text, 'x')).toBe(ms)
  })

  it('that was written as text is what was written, in whatever unit', () => {
    const most = Math.floor(Number.MAX_SAFE_INTEGER / units.d)
    fc.assert(
      fc.property(fc.integer({ min: -most, max: most }), unit, (count, unit) => {
        expect(durationMs(`${count}${unit}`, 'x')).toBe(count * units[unit] || 0)
      }),
    )
  })

  it('may be written with a fraction that makes whole ms, to the last one', () => {
    const most = Math.floor(Number.MAX_SAFE_INTEGER / 60)
    fc.assert(
      fc.property(fc.integer({ min: 0, max: most }), (ms) => {
        const seconds = `${Math.floor(ms / 1_000)}.${String(ms % 1_000).padStart(3, '0')}` as `${number}`
        expect(durationMs(`${seconds}s`, 'x')).toBe(ms)
        expect(durationMs(`${seconds}m`, 'x')).toBe(ms * 60)
      }),
    )
  })

  it.each([
    '',
    '5',
    'm',
    '5 m',
    ' 5m',
    '5m ',
    '1e3m',
    '0x10s',
    '+5s',
    '.5s',
    '5.s',
    '1,5s',
    '5M',
    '5min',
    '5m30s',
    '--1s',
  ])('is not %j, and the option is named', (text) => {
    expect(() => durationMs(anything(text), 'dedupe: ttlMs')).toThrow(ConfigurationError)
    expect(() => durationMs(anything(text), 'dedupe: ttlMs')).toThrow(
      `dedupe: ttlMs must be ms, or text of a number and ms, s, m, h or d such as '5m', got ${JSON.stringify(text)}`,
    )
  })

  it.each([Number.NaN, undefined, null, {}, 5n, ['5m', '5m']])('is not %s either', (value) => {
    expect(() => durationMs(anything(value), 'x')).toThrow(/^x must be ms, or text .*, got /)
  })

  it('has no part of a ms, and no more of them than a number holds exactly', () => {
    expect(() => durationMs('0.5ms', 'x')).toThrow("x must be a whole number of ms, got '0.5ms'")
    expect(() => durationMs('0.0001s', 'x')).toThrow("got '0.0001s'")
    expect(() => durationMs('9007199254740992ms', 'x')).toThrow("got '9007199254740992ms'")
    expect(durationMs('9007199254740991ms', 'x')).toBe(Number.MAX_SAFE_INTEGER)
  })
})

describe('idleAfterMs', () => {
  const idle = (idleAfterMs: Duration) => () => definePipeline({ name: 'mine', idleAfterMs, build: () => ({}) })

  it('may be text, and is refused as it was written', () => {
    expect(idle('5s')).not.toThrow()
    expect(idle('0s')).toThrow('pipeline mine: idleAfterMs must be positive, got 0s')
    expect(idle(-1)).toThrow('pipeline mine: idleAfterMs must be positive, got -1')
    expect(idle('5 s')).toThrow('pipeline mine: idleAfterMs must be ms, or text')
  })
})
