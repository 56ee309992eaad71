const own: Readonly<Record<string, string>> = { bollinger: 'BB' }

/** As people write it: `SMA 20`, `BB 20, 2`. */
export function labelOf(text: string): string {
  const [kind = '', ...numbers] = text.split(':')
  return `${own[kind] ?? kind.toUpperCase()} ${numbers.join(', ')}`.trim()
}

/** What may be drawn over or below the candles, with the numbers that people use. */
export const offered: readonly { readonly text: string; readonly label: string; readonly what: string }[] = [
  { text: 'sma:20', label: 'SMA', what: 'Simple moving average of 20 candles' },
  { text: 'ema:50', label: 'EMA', what: 'Exponential moving average of 50 candles' },
  { text: 'bollinger:20:2', label: 'BB', what: 'Bollinger bands of 20 candles, 2 deviations' },
  { text: 'vwap:1d', label: 'VWAP', what: 'Volume-weighted average price since midnight UTC' },
  { text: 'rsi:14', label: 'RSI', what: 'Relative strength index of 14 changes' },
  { text: 'macd:12:26:9', label: 'MACD', what: 'Convergence and divergence of averages, 12, 26, 9' },
  { text: 'atr:14', label: 'ATR', what: 'Average true range of 14 candles' },
]
