import { WebSocket } from 'ws'
import { z } from 'zod'
import { type Clock, steadyClock } from '../../runtime/clock.ts'
import { causeOf } from '../http/causeOf.ts'
import { agentFor } from '../http/tunnel.ts'
import { limitsOfAddress } from '../live/addressLimits.ts'
import { RestClient } from '../live/restClient.ts'
import { type BinanceEndpoints, type BinanceMarket, marketRules, resolveEndpoints } from './endpoints.ts'

export interface SurveyOptions {
  readonly market: BinanceMarket
  readonly endpoints?: Partial<BinanceEndpoints>
  /** Asked whether they are traded. */
  readonly symbols: readonly string[]
  readonly timeoutMs: number
  /** The machine's own, whose difference is told; the system's unless told. */
  readonly machineNow?: () => number
  /** One that goes on evenly, whatever is done to the time of the machine. */
  readonly clock?: Clock
}

/** How an exchange is seen from here just now. */
export interface ExchangeSurvey {
  readonly restUrl: string
  readonly streamUrl: string
  /** Why REST does not answer, in words; null where it does. */
  readonly restProblem: string | null
  /** How long the exchange asks this address to wait, ms, and its word (429, 418, 403); null where it does not. */
  readonly refusal: { readonly status: number; readonly waitMs: number } | null
  /** Why no WebSocket opens, in words; null where one does. */
  readonly streamProblem: string | null
  /** How far this machine's clock is ahead of the exchange's, ms; half of the way there and back at most is unknown. Null where it does not say. */
  readonly clockAheadMs: number | null
  readonly roundTripMs: number | null
  /** Weight that this minute has cost this address, and the limit; null where it does not say. */
  readonly weight: { readonly used: number; readonly perMinute: number } | null
  /** What the exchange says of each symbol, such as `TRADING` and `BREAK`; `not listed` for one that it does not have. Null where it could not be asked. */
  readonly statuses: ReadonlyMap<string, string> | null
}

const timeSchema = z.object({ serverTime: z.int().min(0) })
const infoSchema = z.object({
  rateLimits: z
    .array(z.object({ rateLimitType: z.string(), interval: z.string(), intervalNum: z.number(), limit: z.number() }))
    .default([]),
  symbols: z.array(z.object({ symbol: z.string(), status: z.string().default('TRADING') })),
})

/** Looks at the exchange as a feed would see it, with three cheap requests and one handshake. Throws `ConfigurationError` for endpoints that are no URLs, and for a proxy that is none. */
export async function surveyBinance(options: SurveyOptions): Promise<ExchangeSurvey> {
  const { market, symbols, timeoutMs, machineNow = Date.now, clock = steadyClock } = options
  const { restUrl, streamUrl } = resolveEndpoints(market, options.endpoints)
  const rules = marketRules[market]
  const limits = limitsOfAddress(clock, restUrl, rules.weightPerMinute)
  const client = new RestClient({ clock, timeoutMs, limits, isSimulated: null })
  const ask = (path: string) => client.ask(`${restUrl}${path}`, { share: 1, signal: AbortSignal.timeout(timeoutMs) })
  const stream = probeStream(streamUrl, timeoutMs)
  const before = machineNow()
  const time = await ask(rules.timePath)
  const after = machineNow()
  const facts = { restUrl, streamUrl, streamProblem: await stream }
  const nothing = { clockAheadMs: null, roundTripMs: null, weight: null, statuses: null }
  if ('refused' in time) {
    const { status, retryAt } = time
    const refusal = status === undefined || retryAt === null ? null : { status, waitMs: retryAt - clock.now() }
    return { ...facts, restProblem: time.refused, refusal, ...nothing }
  }
  const told = timeSchema.safeParse(parsed(time.text))
  if (time.status !== 200 || !told.success) {
    const restProblem = `${restUrl}${rules.timePath} answers ${time.status}: ${time.text.slice(0, 80)}`
    return { ...facts, restProblem, refusal: null, ...nothing }
  }
  const info = await ask(rules.exchangeInfoPath)
  const listed = 'refused' in info ? null : infoSchema.safeParse(parsed(info.text))
  const limit = listed?.data?.rateLimits.find(
    ({ rateLimitType, interval, intervalNum }) =>
      rateLimitType === 'REQUEST_WEIGHT' && interval === 'MINUTE' && intervalNum === 1,
  )
  if (limit !== undefined) limits.limitWeight(limit.limit)
  const statusOf = new Map(listed?.data?.symbols.map(({ symbol, status }) => [symbol, status]))
  return {
    ...facts,
    restProblem: null,
    refusal: null,
    clockAheadMs: Math.round((before + after) / 2 - told.data.serverTime),
    roundTripMs: after - before,
    weight: { used: limits.usedWeight, perMinute: limits.weightPerMinute },
    statuses:
      listed?.success === true
        ? new Map(symbols.map((symbol) => [symbol, statusOf.get(symbol) ?? 'not listed'] as const))
        : null,
  }
}

function probeStream(streamUrl: string, timeoutMs: number): Promise<string | null> {
  const { host } = new URL(streamUrl)
  const url = `${streamUrl}/stream`
  return new Promise((resolve) => {
    const socket = new WebSocket(url, {
      handshakeTimeout: timeoutMs,
      perMessageDeflate: false,
      agent: agentFor(new URL(url)),
    })
    const end = (problem: string | null) => {
      clearTimeout(timer)
      socket.terminate()
      resolve(problem)
    }
    // The handshake's own timeout does not cover a name that is not resolved.
    const timer = setTimeout(() => end(`${host}: no WebSocket within ${timeoutMs} ms`), timeoutMs)
    socket.once('open', () => end(null))
    socket.on('error', (error) => end(`${host}: no WebSocket: ${causeOf(error)}`))
  })
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
