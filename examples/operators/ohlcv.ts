import { eventTime, formatFixed, ohlcv, type Trade, toFixed8, tumblingWindow } from 'millrace'
import { of } from 'rxjs'

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

of(trade(1, 1_000, 100), trade(2, 2_000, 104), trade(4, 4_000, 101), trade(3, 3_000, 99))
  .pipe(
    eventTime({ of: ({ tradeTime }) => tradeTime, maxOutOfOrdernessMs: '2s' }),
    tumblingWindow({ name: '1m', sizeMs: '1m', by: ({ symbol }) => symbol }),
    ohlcv(),
  )
  .subscribe(({ open, high, low, close }) => {
    console.log(...[open, high, low, close].map((price) => formatFixed(BigInt(price), 8, 2)))
  })

// 100.00 104.00 99.00 101.00
