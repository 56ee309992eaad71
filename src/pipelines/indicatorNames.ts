/** Which indicators a pipeline may be told to make, in words. */
export const indicatorsAllowed = 'sma:N, ema:N, rsi:N, atr:N, bollinger:N (N from 2 to 1000), macd and vwap'
