import { WebSocket } from 'ws'
import { type Clock, steadyClock } from '../../runtime/clock.ts'
import { causeOf } from '../http/causeOf.ts'
import { agentFor } from '../http/tunnel.ts'
import { limitsOfAddress } from './addressLimits.ts'
import { RestClient } from './restClient.ts'

export interface SurveyOptions {
  /** Asked whether they are traded. */
  readonly symbols: readonly string[]
  readonly timeoutMs: number
  /** The machine's own, whose difference is told; the system's unless told. */
  readonly machineNow?: () => number
  /** One that goes on evenly, whatever is done to the time of the machine. */
  readonly clock?: Clock
}

/** What a survey has to know of an exchange. */
export interface SurveyedExchange {
  readonly restUrl: string
  readonly streamUrl: string
  /** Behind `streamUrl`, where a WebSocket opens. */
  readonly streamPath: string
  /** Request weight a minute and address, unless it says another; infinite where it counts none. */
  readonly weightPerMinute: number
  readonly timePath: string
  readonly listingPath: string
  /** What time it is there, ms UTC; null for an answer that does not say. */
  timeOf(body: unknown): number | null
  /** What is listed, by symbol `TRADING` or why not, and the weight that it allows, if it says so; null for an answer that is none. */
  listingOf(
    body: unknown,
  ): { readonly statuses: ReadonlyMap<string, string>; readonly weightPerMinute: number | null } | null
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

/** Looks at an exchange as a feed would see it, with two requests and one handshake. */
export async function surveyExchange(exchange: SurveyedExchange, options: SurveyOptions): Promise<ExchangeSurvey> {
  const { restUrl, streamUrl, streamPath, timePath, listingPath } = exchange
  const { symbols, timeoutMs, machineNow = Date.now, clock = steadyClock } = options
  const limits = limitsOfAddress(clock, restUrl, exchange.weightPerMinute)
  const client = new RestClient({ clock, timeoutMs, limits, isSimulated: null })
  const ask = (path: string) => client.ask(`${restUrl}${path}`, { share: 1, signal: AbortSignal.timeout(timeoutMs) })
  const stream = probeStream(streamUrl, streamPath, timeoutMs)
  const before = machineNow()
  const time = await ask(timePath)
  const after = machineNow()
  const facts = { restUrl, streamUrl, streamProblem: await stream }
  const nothing = { clockAheadMs: null, roundTripMs: null, weight: null, statuses: null }
  if ('refused' in time) {
    const { status, retryAt } = time
    const refusal = status === undefined || retryAt === null ? null : { status, waitMs: retryAt - clock.now() }
    return { ...facts, restProblem: time.refused, refusal, ...nothing }
  }
  const told = exchange.timeOf(parsed(time.text))
  if (time.status !== 200 || told === null) {
    const restProblem = `${restUrl}${timePath} answers ${time.status}: ${time.text.slice(0, 80)}`
    return { ...facts, restProblem, refusal: null, ...nothing }
  }
  const listing = await ask(listingPath)
  const listed = 'refused' in listing ? null : exchange.listingOf(parsed(listing.text))
  if (listed?.weightPerMinute != null) limits.limitWeight(listed.weightPerMinute)
  const { usedWeight: used, weightPerMinute: perMinute } = limits
  return {
    ...facts,
    restProblem: null,
    refusal: null,
    clockAheadMs: Math.round((before + after) / 2 - told),
    roundTripMs: after - before,
    weight: Number.isFinite(perMinute) ? { used, perMinute } : null,
    statuses:
      listed === null
        ? null
        : new Map(symbols.map((symbol) => [symbol, listed.statuses.get(symbol) ?? 'not listed'] as const)),
  }
}

function probeStream(streamUrl: string, path: string, timeoutMs: number): Promise<string | null> {
  const { host } = new URL(streamUrl)
  const url = `${streamUrl}${path}`
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
