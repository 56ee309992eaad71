import { durationText } from '../console/text.ts'
import { surveyBinance } from '../sources/binance/survey.ts'
import { surveyCoinbase } from '../sources/coinbase/survey.ts'
import { proxyOf, proxyText } from '../sources/http/proxy.ts'
import type { ExchangeSurvey } from '../sources/live/survey.ts'
import { readSymbolsFile } from '../sources/symbols/followSymbols.ts'
import { symbolsOfTrades, wantedStreams } from '../sources/symbols/wantedStreams.ts'
import { type CheckResult, ok } from './doctorChecks.ts'
import { oneLine } from './exit.ts'
import { coinbaseSymbols, liveSymbols } from './realtime/runPlan.ts'
import type { SettingValues } from './settings.ts'

const timeoutMs = 3_000
/** What a machine that is kept in time never reaches. */
const warnAheadMs = 1_000
const shownSymbols = 10

type ExchangeSettings = Pick<
  SettingValues,
  'market' | 'symbols' | 'symbolsFile' | 'binanceRestUrl' | 'binanceWsUrl' | 'coinbaseRestUrl' | 'coinbaseWsUrl'
>

/** How the exchange is seen from here. Without it the simulator is used, so all that is wrong is a warning. */
export async function checkExchange(settings: ExchangeSettings): Promise<readonly CheckResult[]> {
  const { binanceRestUrl: restUrl, binanceWsUrl: streamUrl } = settings
  try {
    if (settings.market === 'coinbase') return surveyChecks(await coinbaseOf(settings), process.env)
    const survey = await surveyBinance({
      market: settings.market === 'usdm' ? 'usdm' : 'spot',
      symbols: await symbolsOf(settings),
      endpoints: { ...(restUrl === undefined ? {} : { restUrl }), ...(streamUrl === undefined ? {} : { streamUrl }) },
      timeoutMs,
    })
    return surveyChecks(survey, process.env)
  } catch (error) {
    const found = oneLine(error instanceof Error ? error.message : String(error))
    return [warning('exchange', found, 'Correct what it names; nothing else of the exchange was looked at.')]
  }
}

/** The survey as lines of `doctor`. */
export function surveyChecks(survey: ExchangeSurvey, env: NodeJS.ProcessEnv): readonly CheckResult[] {
  return [rest(survey), stream(survey), proxy(survey, env), limits(survey), clock(survey), symbols(survey)].filter(
    (check) => check !== null,
  )
}

async function coinbaseOf(settings: ExchangeSettings): Promise<ExchangeSurvey> {
  const { coinbaseRestUrl: restUrl, coinbaseWsUrl: streamUrl } = settings
  return surveyCoinbase({
    symbols: await symbolsOf(settings, coinbaseSymbols),
    endpoints: { ...(restUrl === undefined ? {} : { restUrl }), ...(streamUrl === undefined ? {} : { streamUrl }) },
    timeoutMs,
  })
}

async function symbolsOf(
  { symbols, symbolsFile }: ExchangeSettings,
  others: readonly string[] = liveSymbols,
): Promise<readonly string[]> {
  if (symbols !== undefined) return symbols
  return symbolsFile === undefined ? others : symbolsOfTrades(wantedStreams(await readSymbolsFile(symbolsFile)))
}

function rest({ restUrl, restProblem, refusal }: ExchangeSurvey): CheckResult {
  if (restProblem === null) return ok('exchange', `${restUrl} answers`)
  // Those that are told to the address have a line of their own.
  const isBan = refusal !== null && refusal.status !== 451
  const remedy =
    refusal?.status === 451
      ? 'The exchange does not serve this location: for spot try MILLRACE_BINANCE_REST_URL=https://data-api.binance.vision.'
      : isBan
        ? 'See the limits below.'
        : 'Check the network, a proxy and whether the exchange serves your region; without it `run realtime` takes the simulator.'
  return warning('exchange', `${restUrl} does not answer well (${oneLine(restProblem)})`, remedy)
}

function stream({ streamUrl, streamProblem }: ExchangeSurvey): CheckResult {
  if (streamProblem === null) return ok('exchange stream', `${streamUrl} takes connections`)
  const remedy =
    'A proxy or firewall must let WebSockets through to this host and port; MILLRACE_BINANCE_WS_URL or MILLRACE_COINBASE_WS_URL names another.'
  return warning('exchange stream', oneLine(streamProblem), remedy)
}

function proxy({ restUrl, streamUrl }: ExchangeSurvey, env: NodeJS.ProcessEnv): CheckResult {
  const used = [restUrl, streamUrl].map((url) => proxyOf(new URL(url), env))
  const [forRest, forStream] = used.map((one) => (one === null ? 'none' : proxyText(one)))
  const found = forRest === forStream ? `${forRest}` : `REST: ${forRest}; stream: ${forStream}`
  return ok('exchange proxy', found)
}

function limits({ refusal, weight }: ExchangeSurvey): CheckResult | null {
  const name = 'exchange limits'
  if (refusal !== null && refusal.status !== 451) {
    const forSo = durationText(Math.max(0, refusal.waitMs))
    const said =
      refusal.status === 418
        ? `this address is banned (418) for ${forSo} more`
        : refusal.status === 403
          ? 'the firewall of the exchange refuses this address (403)'
          : `the exchange answers ${refusal.status} and asks to wait for ${forSo}`
    return warning(name, said, 'Stop what asks too much at this address, and wait: asking on makes it longer.')
  }
  if (weight === null) return null
  const { used, perMinute } = weight
  const found = `${used} of ${perMinute} request weight of this minute used, ${Math.max(0, perMinute - used)} left; no ban`
  if (used < perMinute / 2) return ok(name, found)
  return warning(
    name,
    found,
    'Others at this address ask a lot: history waits above one half, the feed above four fifths.',
  )
}

function clock({ clockAheadMs, roundTripMs }: ExchangeSurvey): CheckResult | null {
  if (clockAheadMs === null || roundTripMs === null) return null
  const by = Math.abs(clockAheadMs)
  const which = clockAheadMs > 0 ? 'ahead of' : 'behind'
  const found = `this machine is ${by} ms ${which} the exchange (give or take ${Math.ceil(roundTripMs / 2)} ms)`
  if (by - roundTripMs / 2 <= warnAheadMs) return ok('exchange clock', found)
  return warning(
    'exchange clock',
    found,
    'Keep the clock in time (NTP). Candles do not depend on it; lags in status and qualities by latency do.',
  )
}

function symbols({ statuses }: ExchangeSurvey): CheckResult | null {
  const name = 'exchange symbols'
  if (statuses === null) return null
  const odd = [...statuses].filter(([, status]) => status !== 'TRADING')
  if (odd.length === 0) return ok(name, `${statuses.size} symbols, all traded`)
  const words = odd.slice(0, shownSymbols).map(([symbol, status]) => `${symbol} (${status})`)
  const more = odd.length > shownSymbols ? ` and ${odd.length - shownSymbols} more` : ''
  return warning(
    name,
    `not traded: ${words.join(', ')}${more}`,
    'Take them out of --symbols or symbols.yaml: nothing comes of them.',
  )
}

function warning(name: string, found: string, remedy: string): CheckResult {
  return { name, level: 'warn', found, remedy }
}
