import { WebSocket } from 'ws'
import { causeOf } from '../http/causeOf.ts'
import { httpGet } from '../http/httpGet.ts'
import { agentFor } from '../http/tunnel.ts'
import { type BinanceEndpoints, type BinanceMarket, marketRules, resolveEndpoints } from './endpoints.ts'

export interface ProbeOptions {
  /** Default spot. */
  readonly market?: BinanceMarket
  readonly endpoints?: Partial<BinanceEndpoints>
  readonly timeoutMs: number
}

export interface ProbeResult {
  readonly reachable: boolean
  /** Why not, in words, with the host that was asked; null when it is reachable. */
  readonly reason: string | null
}

/**
 * Whether trades can be had from the exchange just now: REST answers and a WebSocket opens, both within `timeoutMs`. Never throws but for
 * endpoints that are no URLs.
 */
export async function probeBinance({ market = 'spot', endpoints, timeoutMs }: ProbeOptions): Promise<ProbeResult> {
  const { restUrl, streamUrl } = resolveEndpoints(market, endpoints)
  const problems = await Promise.all([
    probeRest(`${restUrl}${marketRules[market].pingPath}`, timeoutMs),
    probeStream(streamUrl, timeoutMs),
  ])
  const reason = problems.filter((problem) => problem !== null).join('; ')
  return reason === '' ? { reachable: true, reason: null } : { reachable: false, reason }
}

async function probeRest(url: string, timeoutMs: number): Promise<string | null> {
  const { host } = new URL(url)
  try {
    const answer = await httpGet(url, { signal: AbortSignal.timeout(timeoutMs) })
    answer.body.destroy()
    if (answer.status >= 200 && answer.status < 300) return null
    if (answer.status === 451) return `${host} answers 451: the exchange does not serve this location`
    return `${host} answers ${answer.status}`
  } catch (error) {
    return `${host} cannot be reached: ${causeOf(error)}`
  }
}

function probeStream(streamUrl: string, timeoutMs: number): Promise<string | null> {
  const { host } = new URL(streamUrl)
  return new Promise((resolve) => {
    const url = `${streamUrl}/stream`
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
