import './runtime/checkNode.ts'

export { type AtrOptions, atr } from './operators/indicators/atr.ts'
export { type BollingerOptions, type BollingerValue, bollinger } from './operators/indicators/bollinger.ts'
export { type EmaOptions, ema } from './operators/indicators/ema.ts'
export type {
  CandleForIndicator,
  Indicator,
  IndicatorOptions,
  IndicatorValue,
} from './operators/indicators/indicator.ts'
export { type MacdOptions, type MacdValue, macd } from './operators/indicators/macd.ts'
export { type RsiOptions, rsi } from './operators/indicators/rsi.ts'
export { type SmaOptions, sma } from './operators/indicators/sma.ts'
export { type VwapOptions, vwap } from './operators/indicators/vwap.ts'
