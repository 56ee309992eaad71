import {
  type CandlestickData,
  CandlestickSeries,
  ColorType,
  CrosshairMode,
  createChart,
  createSeriesMarkers,
  createTextWatermark,
  HistogramSeries,
  type IChartApi,
  type IPriceLine,
  type ISeriesApi,
  type ISeriesMarkersPluginApi,
  type ITextWatermarkPluginApi,
  LineSeries,
  LineStyle,
  type SeriesMarker,
  type Time,
  type UTCTimestamp,
} from 'lightweight-charts'
import type { WireCandle, WireGap, WireIndicator, WireValue } from '../../../src/web/protocol.ts'
import type { Zone } from '../shell/format.ts'
import { GapShade } from './gapShade.ts'
import { labelOf } from './indicators.ts'
import type { Change, SeriesStore } from './seriesStore.ts'

interface Colors {
  readonly text: string
  readonly dim: string
  readonly line: string
  readonly panel: string
  readonly up: string
  readonly down: string
  readonly mark: string
  readonly hatch: string
  readonly volumeUp: string
  readonly volumeDown: string
  readonly lines: readonly string[]
}

/** What is drawn in one colour: a line, or the bands of an indicator. */
export interface LegendEntry {
  readonly label: string
  readonly color: string
  readonly indicator: string
  /** Which of its values, by their place among the names. */
  readonly places: readonly number[]
}

export interface ChartOptions {
  readonly zone: Zone
  readonly isSimulated: boolean
  readonly intervalMs: number
  readonly onNear: () => void
  /** Told what has which colour. */
  readonly onLegend: (entries: readonly LegendEntry[]) => void
  /** The open time of the candle under the crosshair, ms UTC; null for none. */
  readonly onPoint: (time: number | null) => void
}

/** A value is shown here as what is nearest to it; the exact text is in the table. */
const shownAs = (decimal: string) => Number(decimal)
const secondsOf = (ms: number) => (ms / 1_000) as UTCTimestamp
const ownPane = ['rsi', 'macd', 'atr']
/** Where there are fewer candles, each is wider. */
const fewCandles = 80
const wideBar = 12

/** Candles, volume, indicators, corrections and gaps of one series on canvases. Next to it is always a table. */
export class CandleChart {
  readonly #chart: IChartApi
  readonly #store: SeriesStore
  readonly #options: ChartOptions
  readonly #candles: ISeriesApi<'Candlestick'>
  readonly #volume: ISeriesApi<'Histogram'>
  readonly #marks: ISeriesMarkersPluginApi<Time>
  readonly #gaps: GapShade
  readonly #lines = new Map<string, ISeriesApi<'Line'> | ISeriesApi<'Histogram'>>()
  #watermark: ITextWatermarkPluginApi<Time> | null = null
  #price: IPriceLine | null = null
  #colors: Colors
  /** Open time of the candle that the crosshair is on, ms UTC. */
  #at: number | null = null

  constructor(element: HTMLElement, store: SeriesStore, options: ChartOptions) {
    this.#store = store
    this.#options = options
    this.#colors = colorsOf(element)
    this.#chart = createChart(element, { autoSize: true, ...this.#look() })
    // The label of its own has the colour of the newest candle's body, and an open one is hollow.
    this.#candles = this.#chart.addSeries(CandlestickSeries, { priceLineVisible: false, lastValueVisible: false })
    this.#volume = this.#chart.addSeries(HistogramSeries, {
      priceScaleId: 'volume',
      priceFormat: { type: 'volume' },
      lastValueVisible: false,
      priceLineVisible: false,
    })
    this.#chart.priceScale('volume').applyOptions({ scaleMargins: { top: 0.82, bottom: 0 } })
    this.#candles.priceScale().applyOptions({ scaleMargins: { top: 0.08, bottom: 0.22 } })
    this.#gaps = new GapShade(this.#chart)
    this.#candles.attachPrimitive(this.#gaps)
    this.#marks = createSeriesMarkers(this.#candles, [])
    this.#chart.timeScale().subscribeVisibleLogicalRangeChange((range) => {
      if (range !== null && range.from < 30) options.onNear()
    })
    // By time: where an indicator has a value for a quiet interval, the chart has more places than there are candles.
    this.#chart.subscribeCrosshairMove(({ time }) => {
      this.#at = time === undefined ? null : (time as number) * 1_000
      options.onPoint(this.#at)
    })
    this.restyle()
    this.#drawAll()
    store.onChange = (change) => this.#take(change)
  }

  close(): void {
    this.#store.onChange = () => undefined
    this.#chart.remove()
  }

  /** After a change of theme. */
  restyle(): void {
    this.#colors = colorsOf(this.#chart.chartElement())
    this.#chart.applyOptions(this.#look())
    const { up, down, dim } = this.#colors
    this.#candles.applyOptions({
      upColor: up,
      downColor: down,
      borderUpColor: up,
      borderDownColor: down,
      wickUpColor: up,
      wickDownColor: down,
    })
    for (const [key, line] of this.#lines)
      if (!key.endsWith(' histogram')) line.applyOptions({ color: this.#colorOf(key) })
    this.#watermark?.detach()
    this.#watermark = null
    const pane = this.#chart.panes()[0]
    if (this.#options.isSimulated && pane !== undefined) {
      this.#watermark = createTextWatermark(pane, {
        horzAlign: 'center',
        vertAlign: 'center',
        lines: [
          {
            text: 'SIMULATED',
            color: `${dim}33`,
            fontSize: Math.min(56, Math.round(this.#chart.chartElement().clientWidth / 8)),
            fontStyle: 'bold',
          },
        ],
      })
    }
    this.#drawAll()
  }

  /** Moves the crosshair by so many candles; gives the one that it is on. */
  step(by: number): WireCandle | null {
    const { candles } = this.#store
    if (candles.length === 0) return null
    const before = candles.findLastIndex(([time]) => time <= (this.#at ?? Number.POSITIVE_INFINITY))
    const next = this.#at === null ? before : Math.max(0, Math.min(candles.length - 1, before + by))
    const candle = candles[next] as WireCandle
    this.#at = candle[0]
    const scale = this.#chart.timeScale()
    this.#chart.setCrosshairPosition(shownAs(candle[4]), secondsOf(candle[0]), this.#candles)
    const place = scale.timeToIndex(secondsOf(candle[0]))
    const range = scale.getVisibleLogicalRange()
    if (place !== null && range !== null && (place < range.from || place > range.to)) {
      const width = range.to - range.from
      scale.setVisibleLogicalRange({ from: place - width / 2, to: place + width / 2 })
    }
    return candle
  }

  #take(change: Change): void {
    if (change.kind !== 'some') {
      this.#drawAll()
      return
    }
    const isInPlace = change.candles.every(([time]) => this.#knows(time))
    if (!isInPlace) this.#drawAll()
    else {
      for (const candle of change.candles) this.#updateCandle(candle)
      for (const one of change.indicators) this.#updateIndicator(one)
      this.#markCorrections()
    }
    this.#shadeGaps(this.#store.gaps)
  }

  #drawn: WireCandle[] = []

  /** Whether the chart has this candle, or it comes behind all that it has: `update` draws others over their neighbours. */
  #knows(time: number): boolean {
    const last = this.#drawn.at(-1)
    return last === undefined || time >= last[0] || this.#drawn.some(([one]) => one === time)
  }

  #updateCandle(candle: WireCandle): void {
    const last = this.#drawn.at(-1)
    const isOld = last !== undefined && candle[0] < last[0]
    this.#candles.update(this.#bar(candle), isOld)
    this.#volume.update(this.#volumeOf(candle), isOld)
    if (last === undefined || candle[0] > last[0]) this.#drawn.push(candle)
    this.#showPrice()
  }

  /** Where the newest candle stands, on the scale of prices. */
  #showPrice(): void {
    const newest = this.#store.candles.at(-1)
    if (newest === undefined) return
    const { up, down } = this.#colors
    const price = shownAs(newest[4])
    const look = { price, color: price >= shownAs(newest[1]) ? up : down, lineStyle: LineStyle.Dotted } as const
    if (this.#price === null)
      this.#price = this.#candles.createPriceLine({ ...look, lineWidth: 1, axisLabelVisible: true })
    else this.#price.applyOptions(look)
  }

  #updateIndicator({ indicator, names, values }: WireIndicator): void {
    const known = this.#store.values.get(indicator)?.values ?? []
    const newest = known.at(-1)?.[0] ?? 0
    if (values.length > 3 || values.some(([time]) => time < newest)) {
      this.#drawIndicator(indicator, names, known)
      return
    }
    for (const [i, name] of names.entries()) {
      const line = this.#lines.get(`${indicator} ${name}`)
      if (line === undefined) this.#drawIndicator(indicator, names, known)
      else for (const value of values) line.update(this.#point(name, value, i))
    }
  }

  #drawAll(): void {
    const { candles, values, gaps } = this.#store
    if (this.#drawn.length === 0 && candles.length > 0 && candles.length < fewCandles)
      this.#chart.timeScale().applyOptions({ barSpacing: wideBar })
    this.#drawn = [...candles]
    const places = placesOf(candles)
    this.#candles.applyOptions({ priceFormat: { type: 'price', precision: places, minMove: 1 / 10 ** places } })
    this.#candles.setData(candles.map((candle) => this.#bar(candle)))
    this.#volume.setData(candles.map((candle) => this.#volumeOf(candle)))
    for (const [indicator, { names, values: all }] of values) this.#drawIndicator(indicator, names, all)
    this.#markCorrections()
    this.#shadeGaps(gaps)
    this.#showPrice()
    this.#options.onLegend(this.#legend())
  }

  #drawIndicator(indicator: string, names: readonly string[], values: readonly WireValue[]): void {
    for (const [i, name] of names.entries()) {
      const key = `${indicator} ${name}`
      const line = this.#lines.get(key) ?? this.#addLine(indicator, name)
      this.#lines.set(key, line)
      line.setData(values.map((value) => this.#point(name, value, i)))
    }
  }

  #addLine(indicator: string, name: string): ISeriesApi<'Line'> | ISeriesApi<'Histogram'> {
    const [kind = ''] = indicator.split(':')
    const pane = ownPane.includes(kind) ? this.#paneOf(kind) : 0
    const common = { priceLineVisible: false, lastValueVisible: false }
    if (name === 'histogram') return this.#chart.addSeries(HistogramSeries, common, pane)
    const color = this.#colorOf(`${indicator} ${name}`)
    const lineStyle = name === 'upper' || name === 'lower' ? LineStyle.Dashed : LineStyle.Solid
    return this.#chart.addSeries(
      LineSeries,
      { ...common, color, lineWidth: 2, lineStyle, crosshairMarkerVisible: false },
      pane,
    )
  }

  #colorOf(key: string): string {
    const group = groupOf(key)
    if (!this.#groups.includes(group)) this.#groups.push(group)
    const { lines } = this.#colors
    return lines[this.#groups.indexOf(group) % lines.length] as string
  }

  /** What is drawn in one colour each. */
  readonly #groups: string[] = []

  #legend(): readonly LegendEntry[] {
    return this.#groups.flatMap((group) => {
      const [indicator = '', line] = group.split(' ')
      const names = this.#store.values.get(indicator)?.names ?? []
      const places = names.flatMap((name, i) => (groupOf(`${indicator} ${name}`) === group ? [i] : []))
      const label = `${labelOf(indicator)}${line === 'signal' ? ' signal' : ''}`
      return places.length === 0 ? [] : [{ label, color: this.#colorOf(group), indicator, places }]
    })
  }

  readonly #panes: string[] = []

  #paneOf(kind: string): number {
    const at = this.#panes.indexOf(kind)
    if (at >= 0) return at + 1
    this.#panes.push(kind)
    return this.#panes.length
  }

  #point(name: string, value: WireValue, i: number): { time: UTCTimestamp; value: number; color?: string } {
    const [time, isComplete] = value
    const number = value[i + 2] as number
    if (name === 'histogram') {
      return {
        time: secondsOf(time),
        value: number,
        color: number < 0 ? this.#colors.volumeDown : this.#colors.volumeUp,
      }
    }
    // What looks back on a gap is drawn, and fainter.
    return isComplete === 1
      ? { time: secondsOf(time), value: number }
      : { time: secondsOf(time), value: number, color: this.#colors.hatch }
  }

  #bar([time, open, high, low, close, , , isClosed]: WireCandle): CandlestickData<Time> {
    const bar = {
      time: secondsOf(time),
      open: shownAs(open),
      high: shownAs(high),
      low: shownAs(low),
      close: shownAs(close),
    }
    if (isClosed === 1) return bar
    // Hollow: it may still change.
    const color = bar.close >= bar.open ? this.#colors.up : this.#colors.down
    return { ...bar, color: this.#colors.panel, borderColor: color, wickColor: color }
  }

  #volumeOf([time, open, , , close, volume]: WireCandle) {
    const color = shownAs(close) >= shownAs(open) ? this.#colors.volumeUp : this.#colors.volumeDown
    return { time: secondsOf(time), value: shownAs(volume), color }
  }

  #markCorrections(): void {
    const marks = this.#store.candles.flatMap(
      ([time, , , , , , , isClosed, revision]): readonly SeriesMarker<Time>[] =>
        isClosed === 1 && revision > 1
          ? [
              {
                time: secondsOf(time),
                position: 'aboveBar',
                shape: 'circle',
                size: 0,
                text: '◆',
                color: this.#colors.mark,
              },
            ]
          : [],
    )
    this.#marks.setMarkers(marks)
  }

  #shadeGaps(gaps: readonly WireGap[]): void {
    const { intervalMs } = this.#options
    const { candles } = this.#store
    const spans = gaps.flatMap(({ from, to }) => {
      const first = candles.findIndex(([time]) => time + intervalMs > from)
      if (first < 0) return []
      const behind = candles.findIndex(([time]) => time > to)
      const last = Math.max(first, (behind < 0 ? candles.length : behind) - 1)
      return [{ from: secondsOf((candles[first] as WireCandle)[0]), to: secondsOf((candles[last] as WireCandle)[0]) }]
    })
    this.#gaps.show(spans, this.#colors.hatch)
  }

  #look() {
    const { text, line, panel, dim } = this.#colors
    const { zone } = this.#options
    const timeZone = zone === 'UTC' ? 'UTC' : undefined
    const full = new Intl.DateTimeFormat('sv-SE', {
      ...(timeZone === undefined ? {} : { timeZone }),
      year: 'numeric',
      month: '2-digit',
      day: '2-digit',
      hour: '2-digit',
      minute: '2-digit',
    })
    const ofDay = new Intl.DateTimeFormat('en-GB', {
      ...(timeZone === undefined ? {} : { timeZone }),
      hour: '2-digit',
      minute: '2-digit',
    })
    const ofMonth = new Intl.DateTimeFormat('en-GB', {
      ...(timeZone === undefined ? {} : { timeZone }),
      day: 'numeric',
      month: 'short',
    })
    return {
      layout: {
        background: { type: ColorType.Solid, color: panel },
        textColor: text,
        fontFamily: 'system-ui, sans-serif',
        attributionLogo: false,
        panes: { separatorColor: line },
      },
      grid: { vertLines: { color: line }, horzLines: { color: line } },
      // A finger that moves up or down scrolls the page, not the prices.
      handleScroll: { vertTouchDrag: false },
      crosshair: {
        mode: CrosshairMode.Normal,
        vertLine: { color: dim, labelBackgroundColor: dim },
        horzLine: { color: dim, labelBackgroundColor: dim },
      },
      rightPriceScale: { borderColor: line },
      timeScale: {
        borderColor: line,
        timeVisible: true,
        secondsVisible: false,
        rightOffset: 4,
        tickMarkFormatter: (time: Time, kind: number) => {
          const at = new Date((time as number) * 1_000)
          return kind >= 3 ? ofDay.format(at) : ofMonth.format(at)
        },
      },
      localization: { timeFormatter: (time: Time) => full.format(new Date((time as number) * 1_000)) },
    } as const
  }
}

/** The bands of an indicator are of one colour. */
function groupOf(key: string): string {
  return key.startsWith('bollinger:') ? (key.split(' ')[0] as string) : key
}

/** As many places as the prices have, 2 to 8. */
function placesOf(candles: readonly WireCandle[]): number {
  const places = candles.slice(-50).map(([, , , , close]) => (close.split('.')[1] ?? '').replace(/0+$/, '').length)
  return Math.min(8, Math.max(2, ...places))
}

function colorsOf(element: HTMLElement): Colors {
  const style = getComputedStyle(element)
  const color = (name: string) => style.getPropertyValue(`--${name}`).trim()
  return {
    text: color('dim'),
    dim: color('dim'),
    line: color('grid'),
    panel: color('panel'),
    up: color('up'),
    down: color('down'),
    mark: color('mark'),
    hatch: color('hatch'),
    volumeUp: color('volume-up'),
    volumeDown: color('volume-down'),
    lines: [color('line-1'), color('line-2'), color('line-3'), color('line-4'), color('line-5')],
  }
}
