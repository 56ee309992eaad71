import { StoppedAsking } from '../../backfill/exchangeApi.ts'
import { KlineStore } from '../../backfill/klineStore.ts'
import { countText } from '../../console/text.ts'
import { acquireRunLock } from '../../embedded/runLock.ts'
import { openIngestLog } from '../../host/openIngestLog.ts'
import { prepareDatabase } from '../../host/prepareDatabase.ts'
import { ingestFolder } from '../../host/processSlots.ts'
import { openRunDatabase } from '../../host/runDatabase.ts'
import { RunReporter } from '../../host/runReport.ts'
import { Shutdown } from '../../host/shutdown.ts'
import { startWait } from '../../host/startWait.ts'
import type { Market } from '../../market/trade.ts'
import { allowedLatenessMs } from '../../pipelines/realtime.ts'
import { KlineStream } from '../../reconcile/klineStream.ts'
import { Reconciler, type Round } from '../../reconcile/reconciler.ts'
import { type FrameOf, RefillWriter } from '../../reconcile/refill.ts'
import { steadyClock, systemClock } from '../../runtime/clock.ts'
import { RetryableError } from '../../runtime/errors.ts'
import { openConnection, openPool } from '../../sinks/postgres/connection.ts'
import { marketRules, resolveHosts } from '../../sources/binance/endpoints.ts'
import { feedTarget } from '../../sources/ingest/feedTarget.ts'
import { limitsOfAddress } from '../../sources/live/addressLimits.ts'
import { binanceMarketOf, historyFor } from '../backfill/historyFor.ts'
import type { CommandContext } from '../commandContext.ts'
import { exitOk } from '../exit.ts'
import { hostSettingsOf } from '../hostSettings.ts'
import { planRun } from '../realtime/runPlan.ts'

const roundEveryMs = 5_000
const producer = 'reconcile'
const connectTimeoutMs = 10_000

/** Holds each minute against the exchange's candle as it closes, until it is stopped, and has what our candles lack brought in again. */
export async function followCandles(context: CommandContext): Promise<number> {
  const { settings, output } = context
  const { market } = settings
  const say = (line: string): void => void output.out(`${line}\n`)
  const stopping = new AbortController()
  const shutdown = new Shutdown(() => output.err('Ended at once. What was found stays in candle_difference.'))
  output.onClosed(() => shutdown.begin('nobody reads any more'))
  const { topic, timeUnit, schema } = planRun('none', settings)
  const folder = ingestFolder(settings.dataDir, `${topic}.${producer}`)
  const ends: (() => unknown)[] = [() => shutdown.dispose()]
  try {
    const history = historyFor(context, market, stopping.signal)
    // Futures tell no single trades, and nothing is brought in for them.
    const frameOf: FrameOf = (symbol, trade) => history.trades?.frame(symbol, trade) ?? Buffer.alloc(0)
    const database = await openRunDatabase(hostSettingsOf(context, schema), output.err)
    ends.push(() => database.close())
    const { address } = database
    await prepareDatabase(address, schema)
    const lock = await acquireRunLock(folder, {
      what: 'a `reconcile --follow` of this topic',
      otherwise: 'one is enough; choose another folder with --data-dir',
    })
    ends.push(() => lock.release())
    const reporter = new RunReporter(folder, `reconcile of ${market}`)
    ends.push(() => reporter.remove())
    const log = await openIngestLog({
      settings: hostSettingsOf(context, schema),
      topic: { name: topic, isTable: false, isOfThePast: false },
      wait: startWait({ say, reporter, stopRequest: shutdown }),
      onProgress: output.err,
      onWarning: say,
    })
    ends.push(() => log.close())
    // After the wait, which is told before.
    shutdown.whenStopping(() => stopping.abort())
    await log.writer.claim(producer)
    const pool = openPool(address, {
      schema,
      applicationName: 'millrace reconcile',
      maxConnections: 1,
    })
    ends.push(() => pool.end())
    const store = new KlineStore(pool)
    const client = await openConnection(address, {
      schema,
      applicationName: 'millrace reconcile',
      connectTimeoutMs,
    })
    ends.push(() => client.end())
    const reconciler = new Reconciler({
      ...{ market, history, symbol: settings.symbol ?? null, store, topic, allowedLatenessMs },
      client,
      refills: new RefillWriter(log.writer, feedTarget(log.partitions), timeUnit, frameOf),
      now: () => systemClock.now(),
      onNotice: say,
    })
    say(`Comparing the candles of ${market} in ${schema} with the exchange's as they close. Ctrl-C ends it.`)
    await rounds({ context, market, reconciler, store, reporter, signal: stopping.signal, say })
    say('Stopped. The next start goes on from what is stored.')
    return exitOk
  } finally {
    for (const end of ends.reverse()) await end()
  }
}

interface Parts {
  readonly context: CommandContext
  readonly market: Market
  readonly reconciler: Reconciler
  readonly store: KlineStore
  readonly reporter: RunReporter
  readonly signal: AbortSignal
  readonly say: (line: string) => void
}

async function rounds({ context, market, reconciler, store, reporter, signal, say }: Parts): Promise<void> {
  let stream: KlineStream | null = null
  let before: Round | null = null
  let trouble = ''
  let compared = 0
  try {
    while (!signal.aborted) {
      const symbols = await reconciler.symbols()
      if (stream === null || symbols.join() !== stream.symbols.join()) {
        await stream?.close()
        stream = symbols.length === 0 || market === 'coinbase' ? null : streamOf(context, market, symbols, say)
      }
      for (const { symbol, kline } of stream?.take() ?? []) {
        const range = { from: kline.openTime, to: kline.closeTime + 1 }
        await store.addPage({ market, symbol, interval: '1m' }, [kline], range, 'stream')
      }
      try {
        const round = await reconciler.round()
        if (trouble !== '' || round.open !== before?.open) say(roundText(round))
        before = round
        compared = round.compared
        trouble = ''
      } catch (error) {
        // What is not asked now is asked in the next round; the exchange's limits are kept below.
        if (!(error instanceof RetryableError) || error instanceof StoppedAsking) throw error
        if (error.message !== trouble) say(error.message)
        trouble = error.message
      }
      const waitingFor = trouble === '' ? null : trouble
      reporter.write({ records: compared, recordsPerS: 0, waitingFor }, systemClock.now())
      await steadyClock.sleep(roundEveryMs, signal)
    }
  } catch (error) {
    if (!(error instanceof StoppedAsking)) throw error
  } finally {
    await stream?.close()
  }
}

function streamOf(
  { settings }: CommandContext,
  market: Exclude<Market, 'coinbase'>,
  symbols: readonly string[],
  onNotice: (line: string) => void,
): KlineStream {
  const { binanceWsUrl: streamUrl, binanceRestUrl: restUrl } = settings
  const asked = binanceMarketOf(market, restUrl)
  const hosts = resolveHosts(asked, {
    ...(streamUrl === undefined ? {} : { streamUrl }),
    ...(restUrl === undefined ? {} : { restUrl }),
  })
  const address = limitsOfAddress(steadyClock, hosts.rest[0]?.url ?? '', marketRules[asked].weightPerMinute)
  const isSimulated = market === 'simulated'
  return new KlineStream({ symbols, urls: hosts.streams, clock: steadyClock, address, isSimulated, onNotice })
}

function roundText({ compared, open }: Round): string {
  const differ = open === 0 ? 'none differs' : `${countText(open)} differ`
  return `${countText(compared)} minutes of the last hour compared: ${differ}.`
}
