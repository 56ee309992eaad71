import { Shutdown } from '../../host/shutdown.ts'
import { SeededTrading } from '../../testing/exchange/seededTrading.ts'
import { SimulatedExchange } from '../../testing/exchange/simulatedExchange.ts'
import type { CommandContext } from '../commandContext.ts'
import { exitOk, UsageError } from '../exit.ts'
import { liveSymbols } from '../realtime/runPlan.ts'
import { formatTime } from '../time.ts'

/** Runs a simulated exchange on loopback until it is stopped. */
export async function exchange({ settings, output }: CommandContext): Promise<number> {
  const { exchangePort, exchangeSeed, exchangeRate, exchangeFaults, symbols = liveSymbols } = settings
  const say = (line: string): void => void output.out(`${line}\n`)
  const shutdown = new Shutdown(() => output.err('Ended at once.'))
  const stopped = new Promise<void>((resolve) => shutdown.whenStopping(() => resolve()))
  output.onClosed(() => shutdown.begin('nobody reads any more'))
  try {
    const market = await started({ port: exchangePort, symbols, seed: exchangeSeed, startMs: Date.now() })
    const trading = new SeededTrading({
      exchange: market,
      seed: exchangeSeed,
      tradesPerSecond: exchangeRate,
      faultsPerMinute: exchangeFaults,
      onFault: (what) => say(`${formatTime(Date.now())}  fault: ${what}`),
    })
    trading.start()
    say(`A simulated exchange with invented prices: ${symbols.join(', ')}; seed ${exchangeSeed}. Ctrl-C ends it.`)
    say(`  streams  ${market.streamUrl}/stream?streams=${(symbols[0] as string).toLowerCase()}@trade`)
    say(`  REST     ${market.restUrl}/api/v3/klines?symbol=${symbols[0]}&interval=1m`)
    say('To take trades in from it:')
    say(
      `  MILLRACE_BINANCE_WS_URL=${market.streamUrl} MILLRACE_BINANCE_REST_URL=${market.restUrl} npx millrace run realtime --source binance --market simulated --symbols ${symbols.join(',')}`,
    )
    await stopped
    await trading.stop()
    await market.close()
    const made = market.symbols.map((symbol) => `${symbol} ${market.trades(symbol).length}`)
    say(`Ended. Trades that there were: ${made.join(', ')}.`)
    return exitOk
  } finally {
    shutdown.dispose()
  }
}

async function started(options: Parameters<typeof SimulatedExchange.start>[0] & { readonly port: number }) {
  try {
    return await SimulatedExchange.start(options)
  } catch (error) {
    if (!(error instanceof Error) || !('code' in error) || error.code !== 'EADDRINUSE') throw error
    throw new UsageError(`port ${options.port} is taken: name another with --port, or 0 for a free one.`)
  }
}
