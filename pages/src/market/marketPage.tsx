import { computed, effect, signal } from '@preact/signals'
import { useEffect, useRef } from 'preact/hooks'
import { countText, decimalText } from '../../../src/console/text.ts'
import { type Interval, intervalMs, intervals } from '../../../src/market/interval.ts'
import type { WireCandle } from '../../../src/web/protocol.ts'
import { addressOf } from '../shell/api.ts'
import { theme, zone } from '../shell/choices.ts'
import { chosenSet } from '../shell/chosen.ts'
import { numberText, plain, shortAge, timeText } from '../shell/format.ts'
import { usePageKeys } from '../shell/keys.ts'
import { dataSets, pipelines, serverNow, symbols, watch } from '../shell/live.ts'
import { go, hrefOf, place } from '../shell/router.ts'
import { SetPicker } from '../shell/setPicker.tsx'
import { CandleTable } from './candleTable.tsx'
import { CandleChart, type LegendEntry } from './chart.ts'
import { offered } from './indicators.ts'
import { SeriesStore, type Wanted } from './seriesStore.ts'
import { searched, Watchlist } from './watchlist.tsx'

const isTable = signal(false)
/** Open time of the candle that the crosshair is on; null for none. */
const pointAt = signal<number | null>(null)
const announced = signal('')
const legend = signal<readonly LegendEntry[]>([])

/** What is shown where the address names no symbol, by data set: it stays while somebody searches for others. */
const firstSymbols = signal<Readonly<Record<string, { readonly market: string; readonly symbol: string }>>>({})

effect(() => {
  const told = symbols.value
  if (told === null || told.find !== '' || firstSymbols.peek()[told.dataSet] !== undefined) return
  const first = told.symbols.find(({ symbol }) => symbol === 'BTCUSDT') ?? told.symbols[0]
  if (first !== undefined) firstSymbols.value = { ...firstSymbols.peek(), [told.dataSet]: first }
})

/** What the address says, completed by what there is. */
const wanted = computed<Omit<Wanted, 'id'> | null>(() => {
  const { parts, query, page } = place.value
  const set = chosenSet.value
  if (page !== 'market' || set === null) return null
  const [, market, symbol, interval] = parts
  const one = market !== undefined && symbol !== undefined ? { market, symbol } : firstSymbols.value[set.schema]
  if (one === undefined) return null
  const indicators = (query.get('i') ?? '').split(',').filter((text) => offered.some((offer) => offer.text === text))
  return {
    dataSet: set.schema,
    market: one.market,
    symbol: one.symbol,
    interval: (intervals as readonly string[]).includes(interval ?? '') ? (interval as Interval) : '1m',
    indicators,
  }
})

const wantedText = computed(() => JSON.stringify(wanted.value))
let nextId = 1
const store = signal<SeriesStore | null>(null)

effect(() => {
  const text = wantedText.value
  const given = JSON.parse(text) as Omit<Wanted, 'id'> | null
  store.peek()?.close()
  nextId += 1
  store.value = given === null ? null : new SeriesStore({ ...given, id: nextId })
  pointAt.value = null
})

function moveTo(change: Partial<Omit<Wanted, 'id'>>): void {
  const now = wanted.peek()
  if (now !== null) go(hrefTo({ ...now, ...change }))
}

function hrefTo({ dataSet, market, symbol, interval, indicators }: Omit<Wanted, 'id'>): string {
  return hrefOf('market', [dataSet, market, symbol, interval], queryOf(indicators))
}

function queryOf(indicators: readonly string[]): Readonly<Record<string, string>> {
  return indicators.length === 0 ? {} : { i: indicators.join(',') }
}

export function MarketPage() {
  const set = chosenSet.value
  const shown = store.value
  useEffect(() => {
    watch({
      pipelines: true,
      symbols: set?.schema ?? null,
      find: searched.value,
      series:
        shown === null
          ? []
          : [
              {
                ...shown.wanted,
                interval: shown.wanted.interval as Interval,
                indicators: [...shown.wanted.indicators],
              },
            ],
    })
  }, [set?.schema, searched.value, shown])
  if (dataSets.value === null) return <p class="empty">Loading…</p>
  if (set === null || !set.hasCandles) return <NoCandles />
  return (
    <div class="market">
      <SetPicker page="market" />
      {shown === null ? <p class="empty">Loading…</p> : <Series key={wantedText.value} store={shown} />}
      <Watchlist
        dataSet={set.schema}
        current={shown?.wanted ?? null}
        interval={shown?.wanted.interval ?? '1m'}
        query={queryOf(shown?.wanted.indicators ?? [])}
      />
    </div>
  )
}

function NoCandles() {
  return (
    <>
      <SetPicker page="market" />
      <div class="empty">
        <h1>No candles yet</h1>
        <p>The pipeline that makes them has not run on this data. Start it, and they come by themselves:</p>
        <pre>
          <code>npx millrace run realtime</code>
        </pre>
      </div>
    </>
  )
}

function Series({ store: shown }: { readonly store: SeriesStore }) {
  const { wanted: what } = shown
  const length = intervalMs[what.interval as Interval]
  const candle = shown.at(pointAt.value) ?? shown.newest.value
  return (
    <section class="card series" aria-labelledby="series-title">
      <header class="series-head">
        <h1 id="series-title">
          {plain(what.symbol)} <small>{what.market}</small>
        </h1>
        {candle === null ? null : <Values candle={candle} />}
      </header>
      <Toolbar store={shown} />
      <Freshness store={shown} length={length} />
      <Missing store={shown} />
      {shown.problem.value === null ? null : <p class="banner warn">{plain(shown.problem.value)}</p>}
      {shown.isTold.value && shown.count.value === 0 ? (
        <p class="empty">
          No {what.interval} candle of {plain(what.symbol)} is there yet.
        </p>
      ) : isTable.value ? (
        <CandleTable store={shown} intervalMs={length} />
      ) : (
        <Chart store={shown} length={length} />
      )}
      <p class="legend">
        <span>▯ hollow: still open</span>
        <span>◆ corrected</span>
        <span>▨ hatched: trades missing</span>
        {isTable.value
          ? null
          : legend.value.map(({ label, color, indicator, places }) => (
              <span key={label}>
                <span class="swatch" style={{ background: color }} aria-hidden="true" /> {label}{' '}
                <span class="value">{valuesText(shown, indicator, places, candle?.[0])}</span>
              </span>
            ))}
      </p>
      <p class="unseen" aria-live="polite">
        {announced.value}
      </p>
    </section>
  )
}

/** What an indicator is at a candle, of each of its lines. */
function valuesText(
  { values }: SeriesStore,
  indicator: string,
  places: readonly number[],
  time: number | undefined,
): string {
  const found = values.get(indicator)?.values.findLast(([one]) => one === time)
  return found === undefined ? '' : places.map((place) => numberText(found[place + 2] as number)).join(' / ')
}

function Values({ candle }: { readonly candle: WireCandle }) {
  const [time, open, high, low, close, volume, trades] = candle
  const direction = Number(close) < Number(open) ? 'down' : 'up'
  return (
    <dl class="values">
      <div>
        <dt>{zone.value}</dt>
        <dd>{timeText(time, zone.value).slice(0, 16)}</dd>
      </div>
      {(
        [
          ['O', open],
          ['H', high],
          ['L', low],
        ] as const
      ).map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{decimalText(value)}</dd>
        </div>
      ))}
      <div class="close">
        <dt>C</dt>
        <dd class={direction} data-close>
          {direction === 'up' ? '▲' : '▼'} {decimalText(close)}
        </dd>
      </div>
      <div>
        <dt>Vol</dt>
        <dd>{decimalText(volume)}</dd>
      </div>
      <div>
        <dt>Trades</dt>
        <dd>{countText(trades)}</dd>
      </div>
    </dl>
  )
}

function Toolbar({ store: shown }: { readonly store: SeriesStore }) {
  const { wanted: what } = shown
  return (
    <div class="toolbar">
      <fieldset class="group">
        <legend class="unseen">Interval</legend>
        {intervals.map((one) => (
          <button
            key={one}
            type="button"
            aria-pressed={one === what.interval}
            onClick={() => moveTo({ interval: one })}
          >
            {one}
          </button>
        ))}
      </fieldset>
      <fieldset class="group">
        <legend class="unseen">Indicators</legend>
        {offered.map(({ text, label, what: title }) => {
          const isOn = what.indicators.includes(text)
          return (
            <button
              key={text}
              type="button"
              title={title}
              aria-label={`${label}: ${title}`}
              aria-pressed={isOn}
              onClick={() =>
                moveTo({
                  indicators: isOn ? what.indicators.filter((one) => one !== text) : [...what.indicators, text],
                })
              }
            >
              {label}
            </button>
          )
        })}
      </fieldset>
      <div class="group right">
        <button
          type="button"
          onClick={() => {
            zone.value = zone.value === 'UTC' ? 'local' : 'UTC'
          }}
          aria-label={`Times in ${zone.value}; change`}
        >
          {zone.value}
        </button>
        <button type="button" aria-pressed={isTable.value} onClick={() => (isTable.value = !isTable.value)}>
          as table
        </button>
        <a
          class="button"
          href={addressOf('api/candles', {
            dataSet: what.dataSet,
            market: what.market,
            symbol: what.symbol,
            interval: what.interval,
            limit: 5_000,
            format: 'csv',
          })}
          download
        >
          CSV
        </a>
      </div>
    </div>
  )
}

/** Who keeps the candles moving, and what is the matter where nobody does. */
function Freshness({ store: shown, length }: { readonly store: SeriesStore; readonly length: number }) {
  const own = (pipelines.value ?? []).filter(
    ({ schema, outlets }) =>
      schema === shown.wanted.dataSet && outlets.some(({ to }) => to.startsWith('fact_realtime_trades')),
  )
  const running = own.find(({ processes }) => processes.some(({ state }) => state === 'runs'))
  const newest = shown.newest.value
  const ageMs = newest === null ? 0 : serverNow.value - newest[0] - length
  if (pipelines.value === null) return <p class="fresh dim">Looking who makes these candles…</p>
  if (running === undefined) {
    const [last] = own
    return (
      <p class="fresh banner warn">
        No pipeline makes these candles now{last === undefined ? '' : ` (${last.pipeline} ${last.verdict.text})`}:{' '}
        <code>npx millrace run realtime</code>
        {newest === null || ageMs <= 0 ? '' : `. The newest is ${shortAge(ageMs)} old.`}
      </p>
    )
  }
  const { verdict, isOfThePast, watermark } = running
  const isQuiet = verdict.level === 'good'
  return (
    <p class={`fresh ${isQuiet ? 'dim' : `banner ${verdict.level === 'busy' ? 'busy' : 'warn'}`}`}>
      {isOfThePast && watermark !== null ? `A tape: its now is ${timeText(watermark, zone.value)} ${zone.value}. ` : ''}
      {isQuiet ? `${running.pipeline} is healthy` : `${running.pipeline}: ${plain(verdict.text)}`}
      {newest === null || isOfThePast ? '' : `, the newest candle ${newest[7] === 1 ? 'is closed' : 'is open'}`}
    </p>
  )
}

/** Indicators that look back on more candles than there are. */
function Missing({ store: shown }: { readonly store: SeriesStore }) {
  if (!shown.isTold.value || shown.count.value === 0) return null
  const lacking = offered.filter(
    ({ text }) => shown.wanted.indicators.includes(text) && (shown.values.get(text)?.values.length ?? 0) === 0,
  )
  if (lacking.length === 0) return null
  return (
    <p class="fresh dim">
      {lacking.map(({ label }) => label).join(', ')}: {lacking.length === 1 ? 'comes' : 'come'} once there are enough
      candles.
    </p>
  )
}

function Chart({ store: shown, length }: { readonly store: SeriesStore; readonly length: number }) {
  const box = useRef<HTMLDivElement>(null)
  const chart = useRef<CandleChart | null>(null)
  const set = chosenSet.value
  const isSimulated = set?.isSimulated === true
  useEffect(() => {
    if (box.current === null) return
    const made = new CandleChart(box.current, shown, {
      zone: zone.value,
      isSimulated,
      intervalMs: length,
      onNear: () => void shown.loadOlder(),
      onLegend: (lines) => {
        if (JSON.stringify(legend.peek()) !== JSON.stringify(lines)) legend.value = lines
      },
      onPoint: (time) => {
        pointAt.value = time
      },
    })
    chart.current = made
    return () => made.close()
  }, [shown, zone.value, isSimulated])
  useEffect(() => chart.current?.restyle(), [theme.value])
  useEffect(
    () =>
      usePageKeys(({ key }) => {
        const interval = intervals[Number(key) - 1]
        if (interval !== undefined) moveTo({ interval })
        else if (key === 't') isTable.value = !isTable.value
        else if (key === 'ArrowLeft' || key === 'ArrowRight')
          announce(chart.current?.step(key === 'ArrowLeft' ? -1 : 1) ?? null)
        else return false
        return true
      }),
    [shown],
  )
  const newest = shown.newest.value
  return (
    <div
      ref={box}
      class="chart"
      role="img"
      aria-label={`Chart of ${shown.wanted.symbol}, ${shown.wanted.interval}, ${countText(shown.count.value)} candles${
        newest === null ? '' : `, last close ${decimalText(newest[4])}`
      }. As a table: key t.`}
    />
  )
}

function announce(candle: WireCandle | null): void {
  if (candle === null) return
  const [time, open, high, low, close, volume] = candle
  pointAt.value = time
  announced.value = `${timeText(time, zone.peek())}: open ${decimalText(open)}, high ${decimalText(high)}, low ${decimalText(low)}, close ${decimalText(close)}, volume ${decimalText(volume)}`
}
