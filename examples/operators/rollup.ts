import { eventTime, formatFixed, ohlcv, rollup, type Trade, toFixed8, tumblingWindow } from 'millrace'
import { of } from 'rxjs'

const minute = 60_000
const trade = (tradeId: number, tradeTime: number, price: number): Trade => ({
  type: 'trade',
  market: 'spot',
  symbol: 'BTCUSDT',
  tradeId,
  tradeTime,
  price: toFixed8(price * 1e8),
  quantity: toFixed8(50_000_000),
  isBuyerMaker: false,
})

of(trade(1, 0, 100), trade(2, minute, 104), trade(3, 4 * minute, 99), trade(4, 5 * minute, 101))
  .pipe(
    eventTime({ of: ({ tradeTime }) => tradeTime, maxOutOfOrdernessMs: 0 }),
    tumblingWindow({ name: '1m', sizeMs: '1m', by: ({ symbol }) => symbol }),
    ohlcv(),
    tumblingWindow({ name: '5m', sizeMs: '5m', by: ({ symbol }) => symbol, of: ({ openTime }) => openTime }),
    rollup(),
  )
  .subscribe(({ openTime, open, high, low, close }) => {
    console.log(openTime / minute, ...[open, high, low, close].map((price) => formatFixed(BigInt(price), 8, 2)))
  })

// 0 100.00 104.00 99.00 99.00
// 5 101.00 101.00 101.00 101.00
