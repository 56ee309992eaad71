"""Indicators by TA-Lib: reads {"high", "low", "close"} as JSON, and writes what each indicator gives at each candle, null where it has no value yet."""

import json
import sys

import numpy
import talib

candles = json.load(sys.stdin)
high, low, close = (numpy.array(candles[name], dtype=float) for name in ("high", "low", "close"))


def listed(*outputs):
    rows = zip(*(output.tolist() for output in outputs))
    return [None if any(one != one for one in row) else list(row) for row in rows]


json.dump(
    {
        "sma": listed(talib.SMA(close, 20)),
        "ema": listed(talib.EMA(close, 21)),
        "rsi": listed(talib.RSI(close, 14)),
        "macd": listed(*talib.MACD(close, 12, 26, 9)),
        "bollinger": listed(*talib.BBANDS(close, 20, 2, 2)),
        "atr": listed(talib.ATR(high, low, close, 14)),
    },
    sys.stdout,
)
