import { effect, signal } from '@preact/signals'
import { countText, decimalText } from '../../../src/console/text.ts'
import type { WireSymbol } from '../../../src/web/protocol.ts'
import { plain, shortAge } from '../shell/format.ts'
import { symbols } from '../shell/live.ts'
import { go, hrefOf } from '../shell/router.ts'

const search = signal('')
/** What the console is asked for, a moment after the reader has stopped typing. */
export const searched = signal('')
const pauseMs = 200
const minute = 60_000

effect(() => {
  const text = search.value.trim()
  const timer = setTimeout(() => {
    searched.value = text
  }, pauseMs)
  return () => clearTimeout(timer)
})

/** The change since a day ago, or since the first candle, in percent: for the eye, so a float will do. */
function changeOf({ price, before }: WireSymbol): number | null {
  return before === null || Number(before) === 0 ? null : (Number(price) / Number(before) - 1) * 100
}

export function Watchlist({
  dataSet,
  current,
  interval,
  query,
}: {
  readonly dataSet: string
  readonly current: { readonly market: string; readonly symbol: string } | null
  readonly interval: string
  readonly query: Readonly<Record<string, string>>
}) {
  const told = symbols.value?.dataSet === dataSet ? symbols.value : null
  const all = told?.symbols ?? null
  const wanted = search.value.trim().toUpperCase()
  const shown = (all ?? []).filter(({ symbol }) => symbol.toUpperCase().includes(wanted))
  const hrefFor = ({ market, symbol }: WireSymbol) => hrefOf('market', [dataSet, market, symbol, interval], query)
  return (
    <aside class="card watchlist" aria-label="Symbols">
      <form
        onSubmit={(event) => {
          event.preventDefault()
          const [first] = shown
          if (first !== undefined) go(hrefFor(first))
        }}
      >
        <input
          type="search"
          data-search
          placeholder="Search  /"
          aria-label="Search a symbol"
          value={search.value}
          onInput={({ currentTarget }) => (search.value = currentTarget.value)}
        />
      </form>
      {all === null ? <p class="dim">Loading…</p> : null}
      {told !== null && shown.length === 0 ? (
        <p class="dim">{told.find === search.value.trim() ? 'No symbol of this name has candles.' : 'Looking…'}</p>
      ) : null}
      <ul>
        {shown.map((one) => {
          const change = changeOf(one)
          const isCurrent = current?.symbol === one.symbol && current.market === one.market
          return (
            <li key={`${one.market}/${one.symbol}`}>
              <a href={hrefFor(one)} aria-current={isCurrent ? 'true' : undefined}>
                <span class="symbol">
                  {plain(one.symbol)}
                  <small>{one.market}</small>
                </span>
                <span class="price">{decimalText(one.price)}</span>
                <span class={`change ${change === null ? '' : change < 0 ? 'down' : 'up'}`}>
                  {change === null ? '–' : `${change < 0 ? '▼' : '▲'} ${Math.abs(change).toFixed(2)} %`}
                </span>
                <span class="since">
                  {one.since === null ? '' : `over ${shortAge(one.openTime + minute - one.since)}`}
                  {one.openGaps > 0 ? (
                    <span class="tag warn">▨ {one.openGaps === 1 ? '1 gap' : `${one.openGaps} gaps`}</span>
                  ) : null}
                </span>
              </a>
            </li>
          )
        })}
      </ul>
      {told !== null && told.total > told.symbols.length ? (
        <p class="dim">
          {countText(told.symbols.length)} of {countText(told.total)}: search for the others.
        </p>
      ) : null}
    </aside>
  )
}
