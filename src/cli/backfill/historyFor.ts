import { binanceHistory } from '../../backfill/binanceHistory.ts'
import { coinbaseHistory } from '../../backfill/coinbaseHistory.ts'
import { ExchangeApi } from '../../backfill/exchangeApi.ts'
import type { ExchangeHistory } from '../../backfill/exchangeHistory.ts'
import type { Market } from '../../market/trade.ts'
import { steadyClock } from '../../runtime/clock.ts'
import { type BinanceMarket, marketRules, resolveEndpoints } from '../../sources/binance/endpoints.ts'
import { coinbaseGapMs } from '../../sources/coinbase/coinbaseRest.ts'
import { coinbaseEndpoints } from '../../sources/coinbase/endpoints.ts'
import { limitsOfAddress } from '../../sources/live/addressLimits.ts'
import { RestClient } from '../../sources/live/restClient.ts'
import type { CommandContext } from '../commandContext.ts'
import { UsageError } from '../exit.ts'

const requestTimeoutMs = 10_000

/**
 * What the exchange of a market tells of its past, as the settings name it. Throws `UsageError` for invented prices of nobody.
 * @param isSimulated whether its prices must be invented ones; null where either will do, as for names. By the market unless told
 */
export function historyFor(
  { settings, output }: Pick<CommandContext, 'settings' | 'output'>,
  market: Market,
  signal: AbortSignal,
  isSimulated: boolean | null = market === 'simulated',
): ExchangeHistory {
  const common = { clock: steadyClock, signal, onNotice: output.err }
  const clientOf = (restUrl: string, weightPerMinute: number) => {
    const limits = limitsOfAddress(steadyClock, restUrl, weightPerMinute)
    return new RestClient({ clock: steadyClock, timeoutMs: requestTimeoutMs, limits, isSimulated })
  }
  if (market === 'coinbase') {
    const { coinbaseRestUrl: restUrl = coinbaseEndpoints.restUrl } = settings
    const urlSetting = 'MILLRACE_COINBASE_REST_URL'
    const client = clientOf(restUrl, Number.POSITIVE_INFINITY)
    const paced = { gapMs: coinbaseGapMs, hasNumbers: true }
    return coinbaseHistory(new ExchangeApi({ ...common, ...paced, restUrl, urlSetting, client }))
  }
  const { binanceRestUrl: named } = settings
  const asked = binanceMarketOf(market, named)
  const { restUrl } = resolveEndpoints(asked, named === undefined ? {} : { restUrl: named })
  const client = clientOf(restUrl, marketRules[asked].weightPerMinute)
  const urlSetting = 'MILLRACE_BINANCE_REST_URL'
  return binanceHistory(new ExchangeApi({ ...common, restUrl, urlSetting, client }), asked)
}

/** An exchange of Binance's kind that invents its prices does so for spot. */
export function binanceMarketOf(market: Exclude<Market, 'coinbase'>, restUrl: string | undefined): BinanceMarket {
  if (market !== 'simulated') return market
  if (restUrl !== undefined) return 'spot'
  throw new UsageError(
    '--market simulated is for an exchange that invents its prices, such as `npx millrace exchange`: name it with MILLRACE_BINANCE_REST_URL (and MILLRACE_BINANCE_WS_URL).',
  )
}
