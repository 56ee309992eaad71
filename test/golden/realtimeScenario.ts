import type { GoldenRecord } from './golden.ts'
import type { Scenario } from './scenarios.ts'

const symbols = { BTC: 'BTCUSDT', SHIB: 'SHIBUSDT', ETH: 'ETHUSDT', XRP: 'XRPUSDT', DOGE: 'DOGEUSDT', SOL: 'SOLUSDT' }

/** Ms UTC of a time of day on the eve of, or on, 1 March 2026, so that the end of a day, of an hour and of four hours fall together. */
const eve = (time: string) => Date.parse(`2026-02-28T${time}Z`)
const day = (time: string) => Date.parse(`2026-03-01T${time}Z`)

/** The exchange's frames in the order of the log, numbered as they come. */
class Frames {
  readonly records: GoldenRecord[] = []
  #offset = 50_000
  readonly #nextId = new Map<string, number>()

  /** @param id the next one of the symbol if left out */
  trade(symbol: string, at: number, id = this.#nextId.get(symbol) ?? 7_000): this {
    this.#nextId.set(symbol, Math.max(id + 1, this.#nextId.get(symbol) ?? 0))
    const payload = { e: 'trade', E: at + 3, s: symbol, t: id, ...terms(symbol, id), T: at, m: id % 3 === 0, M: true }
    return this.frame(id % 4 === 0 ? payload : { stream: `${symbol.toLowerCase()}@trade`, data: payload }, at)
  }

  /** Ids that are left out, and may come later. */
  skip(symbol: string, count: number): this {
    this.#nextId.set(symbol, (this.#nextId.get(symbol) ?? 7_000) + count)
    return this
  }

  heartbeat(at: number): this {
    return this.frame({ e: 'heartbeat', E: at }, at)
  }

  /** Trades of both symbols in turn, from one time to another. */
  walk(from: number, to: number, stepMs: number): this {
    for (let at = from; at < to; at += stepMs)
      this.trade(this.records.length % 2 === 0 ? symbols.BTC : symbols.SHIB, at)
    return this
  }

  frame(value: unknown, at: number): this {
    this.#offset += this.#offset % 7 === 0 ? 4 : 1
    this.records.push({ offset: this.#offset, timestamp: at + 40, value: JSON.stringify(value) })
    return this
  }
}

/** Price and quantity of a trade by its id alone. Quantities of SHIB add up beyond 2^53 counts of 1e-8. */
function terms(symbol: string, id: number): { readonly p: string; readonly q: string } {
  const turn = (id * 7_919) % 997
  if (symbol === symbols.SHIB) return { p: `0.0000${1_000 + turn}`, q: `${90_100_000 + turn}.50000001` }
  return { p: `${61_000 + turn}.${String(turn).padStart(3, '0')}`, q: `0.00${100 + turn}` }
}

export function realtimeScenario(): Scenario {
  const frames = new Frames()
  const pushed = () => frames.records.length
  const cutsAfter: number[] = []

  frames.walk(eve('22:58:30'), eve('22:59:00'), 9_000).trade(symbols.ETH, eve('22:59:01')).skip(symbols.BTC, 3)
  frames.walk(eve('22:59:05'), eve('22:59:50'), 9_000)
  cutsAfter.push(pushed())
  frames.walk(eve('22:59:55'), eve('23:01:10'), 9_000).trade(symbols.BTC, eve('22:59:58'))
  frames.trade(symbols.DOGE, eve('23:01:08')).skip(symbols.SHIB, 2)
  cutsAfter.push(pushed())
  // Three trades that come as far: time follows, and all that was open is over.
  frames.walk(eve('23:57:10'), eve('23:57:13'), 1_000).walk(eve('23:57:20'), eve('23:57:59'), 9_000)
  cutsAfter.push(pushed())
  frames.trade(symbols.XRP, eve('23:57:58')).skip(symbols.BTC, 2).walk(eve('23:58:01'), eve('23:58:24'), 7_000)
  frames.trade(symbols.BTC, eve('23:58:10'), 7_017).trade(symbols.SOL, eve('23:58:22'))
  frames.trade(symbols.SHIB, Date.parse('2026-06-01T00:00:00Z')).trade(symbols.SOL, eve('23:58:23'), 7_009)
  cutsAfter.push(pushed())
  const firstCount = pushed()
  const gap = 7_002

  // Repeats of what came before the checkpoint; an id of a gap, for a minute that has fired; a minute that is over.
  frames.trade(symbols.BTC, eve('23:57:40'), 7_015).trade(symbols.SHIB, eve('23:58:20'), 7_016)
  frames.trade(symbols.BTC, eve('23:57:30'), gap + 1).trade(symbols.BTC, eve('23:58:23'), gap + 1)
  frames.trade(symbols.BTC, eve('23:56:00'), gap + 2)
  // Of the same ms as the open and the close so far: the ids decide.
  frames.trade(symbols.BTC, eve('23:58:01'), 7_018).trade(symbols.SOL, eve('23:58:23'), 7_005)
  frames.frame({ stream: 'btcusdt@trade', data: { e: 'trade', s: symbols.BTC, t: -1 } }, eve('23:58:24'))
  frames.trade(symbols.SHIB, eve('23:57:45')).heartbeat(eve('23:58:26')).walk(eve('23:58:30'), eve('23:59:59'), 9_000)
  frames.trade(symbols.BTC, day('00:00:00')).trade(symbols.ETH, day('00:00:01')).heartbeat(day('00:00:04'))
  frames.trade(symbols.SHIB, day('00:00:05'))
  const restartAfter = pushed() - firstCount
  // The day has fired with everything in it; a correction goes all the way up.
  frames.trade(symbols.BTC, eve('23:59:50'), gap).trade(symbols.BTC, eve('23:59:50'), gap + 1)
  frames.trade(symbols.SHIB, eve('23:59:59')).trade(symbols.SHIB, eve('23:59:59'), 7_005)
  frames.trade(symbols.XRP, eve('23:57:58'), 7_000)
  frames.trade(symbols.ETH, eve('23:59:10')).walk(day('00:00:12'), day('00:00:36'), 8_000)
  frames.trade(symbols.BTC, eve('23:59:40')).walk(day('00:00:40'), day('00:01:04'), 8_000)
  frames.trade(symbols.BTC, day('00:20:00'))

  return {
    pipeline: 'realtime',
    first: frames.records.slice(0, firstCount),
    cutsAfter,
    rest: frames.records.slice(firstCount),
    restartAfter,
    idleTo: day('00:01:30'),
  }
}
