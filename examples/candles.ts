// Candles in any RxJS program. Time comes from the trades, so nothing waits for a clock, and a replay gives the same.
import { dedupe, eventTime, formatFixed, ohlcv, parseFixed8, type Trade, tumblingWindow } from 'millrace'
import { from } from 'rxjs'

from([
  trade(1, '12:00:01', '64000.10', '0.5'),
  trade(3, '12:00:40', '64010.00', '0.1'),
  trade(2, '12:00:39', '63990.00', '0.2'), // out of order, but within the bound
  trade(3, '12:00:40', '64010.00', '0.1'), // a repeat
  trade(4, '12:01:10', '64020.00', '0.3'),
])
  .pipe(
    eventTime({ of: (trade) => trade.tradeTime, maxOutOfOrdernessMs: 2_000 }),
    dedupe({ by: (trade) => trade.symbol, id: (trade) => trade.tradeId, ttlMs: 600_000 }),
    tumblingWindow({ name: '1m', sizeMs: 60_000, by: (trade) => trade.symbol }),
    ohlcv(),
  )
  .subscribe(({ openTime, open, high, low, close, volume }) => {
    const numbers = [open, high, low, close, volume].map((value) => formatFixed(value, 8, 2))
    console.log(new Date(openTime).toISOString(), ...numbers)
  })

function trade(tradeId: number, time: string, price: string, quantity: string): Trade {
  return {
    type: 'trade',
    market: 'spot',
    symbol: 'BTCUSDT',
    tradeId,
    tradeTime: Date.parse(`2024-08-08T${time}Z`),
    price: parseFixed8(price) ?? 0,
    quantity: parseFixed8(quantity) ?? 0,
    isBuyerMaker: false,
  }
}
