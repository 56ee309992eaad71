import { type BinanceMarket, marketRules } from '../../sources/binance/endpoints.ts'
import { httpGet } from '../../sources/http/httpGet.ts'

export const probeTimeoutMs = 2_000

/** Address that answers without a key when the exchange can be reached. */
export function pingUrl(market: BinanceMarket, restUrl: string | undefined): string {
  const { endpoints, pingPath } = marketRules[market]
  return `${restUrl ?? endpoints.restUrl}${pingPath}`
}

/** null when the address answers in time, else why it counts as out of reach. */
export async function unreachable(url: string, timeoutMs: number): Promise<string | null> {
  try {
    const { status, body } = await httpGet(url, { signal: AbortSignal.timeout(timeoutMs) })
    body.destroy()
    return status >= 200 && status < 300 ? null : `status ${status}`
  } catch (error) {
    const cause = error instanceof Error && error.cause !== undefined ? error.cause : error
    if (cause instanceof Error && 'code' in cause && typeof cause.code === 'string') return cause.code
    return cause instanceof Error ? cause.name : String(cause)
  }
}
