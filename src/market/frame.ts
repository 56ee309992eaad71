import { z } from 'zod'
import { fixed8Schema } from '../exact/fixed8Schema.ts'
import { Rejection } from '../runtime/log/codec.ts'
import { earliestTradeMs, latestTradeMs, type TimeUnit, unitsPerMs } from './timeUnit.ts'
import type { Heartbeat, Market, Trade } from './trade.ts'

/** Symbols as the exchange writes them: upper case, and scripts that know no case. */
export const symbolPattern = /^[\p{Lu}\p{Lo}\p{Nd}_.-]{1,50}$/u

/** The futures stream names the kind of each fill; only this one, or none, makes a candle. */
export const marketFill = 'MARKET'

function timeSchema(unit: TimeUnit) {
  const factor = unitsPerMs[unit]
  return z
    .int()
    .min(earliestTradeMs * factor)
    .max(latestTradeMs * factor + factor - 1)
}

/** The payload of a trade: what a raw stream sends. What it holds besides is ignored. */
function payloadSchema(unit: TimeUnit) {
  return z.object({
    e: z.literal('trade'),
    E: timeSchema(unit),
    s: z.string().regex(symbolPattern, 'must be a symbol in upper case, at most 50 characters'),
    t: z.int().min(0),
    p: fixed8Schema,
    q: fixed8Schema,
    T: timeSchema(unit),
    X: z.string().optional(),
    m: z.boolean(),
    fill: z.boolean().optional(),
    epoch: z.int().min(0).optional(),
  })
}

const forbidden = z.never().optional()

/** The frames of trades and heartbeats. No frame can be two of them. */
export function frameSchemas(unit: TimeUnit) {
  const payload = payloadSchema(unit)
  return {
    combined: z.object({ stream: z.string(), data: payload }),
    bare: payload.extend({ stream: forbidden, data: forbidden }),
    heartbeat: z.object({ e: z.literal('heartbeat'), E: timeSchema('ms'), stream: forbidden, data: forbidden }),
  }
}

/** What of a payload makes a trade. */
export type TradeFields = Pick<
  z.output<ReturnType<typeof payloadSchema>>,
  's' | 't' | 'p' | 'q' | 'T' | 'X' | 'm' | 'fill' | 'epoch'
>

export interface TradeRules {
  readonly market: Market
  readonly timeUnit: TimeUnit
  /** Null for every symbol. */
  readonly symbols: ReadonlySet<string> | null
}

/** The trade of a payload, or undefined for one that no candle counts: another kind of fill, price or quantity zero. */
export function tradeOf(payload: TradeFields, rules: TradeRules): Trade | Rejection | undefined {
  const symbol = payload.s
  if (rules.symbols !== null && !rules.symbols.has(symbol)) {
    return new Rejection('unknown-symbol', `${symbol} is none of the ${rules.symbols.size} symbols of this pipeline`)
  }
  const kind = payload.X
  if (kind !== undefined && kind !== marketFill) return undefined
  const price = payload.p
  const quantity = payload.q
  if (price === 0 || quantity === 0) return undefined
  const trade: Trade = {
    type: 'trade',
    market: rules.market,
    symbol,
    tradeId: payload.t,
    price,
    quantity,
    tradeTime: rules.timeUnit === 'ms' ? payload.T : Math.floor(payload.T / unitsPerMs.us),
    isBuyerMaker: payload.m,
  }
  const { fill, epoch } = payload
  if (fill !== true && epoch === undefined) return trade
  return { ...trade, ...(fill === true ? { isFill: true } : {}), ...(epoch === undefined ? {} : { idEpoch: epoch }) }
}

export function heartbeatOf(time: number): Heartbeat {
  return { type: 'heartbeat', time }
}
