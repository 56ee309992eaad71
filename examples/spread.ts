// A pipeline over another stream of the exchange than trades: how far bid and ask lay apart at most, by symbol and minute.
// With the stream `ticker` in symbols.yaml, `npx millrace ingest --source binance --symbols-file symbols.yaml` fills its topic;
// `npx millrace run ./spread.ts` reads it.
import {
  aggregateWindow,
  definePipeline,
  eventTime,
  exchangeTopics,
  type Fixed8,
  formatFixed,
  subFixed8,
  table,
  toPostgres,
  tumblingWindow,
} from 'millrace'
import { filter } from 'rxjs'

const { tickers } = exchangeTopics({ market: 'spot' })

const spread = table('spread_1m', {
  columns: {
    symbol: 'text',
    minute: 'timestamptz',
    widest: { type: 'numeric', from: (price: Fixed8) => formatFixed(price, 8, 8) },
    // The lowest quality of the tickers that it is made of, from 0 to 100.
    quality: 'integer',
    revision: 'integer',
  },
  key: ['symbol', 'minute'],
  revision: 'revision',
})

interface Widest {
  readonly widest: Fixed8
  readonly quality: number
}

export default definePipeline({
  name: 'spread',
  inputs: { tickers },
  build: ({ tickers }) => ({
    spread_1m: toPostgres(
      tickers.pipe(
        filter(({ quality }) => quality >= 50),
        eventTime({ of: (ticker) => ticker.eventTime, maxOutOfOrdernessMs: '2s' }),
        tumblingWindow({ name: '1m', sizeMs: '1m', by: (ticker) => ticker.symbol }),
        aggregateWindow({
          initial: (): Widest => ({ widest: 0, quality: 100 }),
          add: ({ widest, quality }, ticker): Widest => {
            const apart = ticker.bid === null || ticker.ask === null ? 0 : subFixed8(ticker.ask, ticker.bid)
            const isWider = apart > widest
            return { widest: isWider ? apart : widest, quality: Math.min(quality, ticker.quality) }
          },
          result: (found, { key, start }, { revision }) => ({ symbol: key, minute: start, ...found, revision }),
        }),
      ),
      spread,
    ),
  }),
})
