import { signal } from '@preact/signals'
import { decimalText } from '../../../src/console/text.ts'
import type { WireSymbol } from '../../../src/web/protocol.ts'
import { plain, shortAge } from '../shell/format.ts'
import { serverNow, symbols } from '../shell/live.ts'
import { go, hrefOf } from '../shell/router.ts'

const search = signal('')

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
  const all = symbols.value?.dataSet === dataSet ? symbols.value.symbols : null
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
      {all !== null && shown.length === 0 ? <p class="dim">No symbol of this name has candles.</p> : null}
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
                  {one.since !== null && serverNow.value - one.since < 82_800_000
                    ? `in ${shortAge(serverNow.value - one.since)}`
                    : '24 h'}
                  {one.openGaps > 0 ? (
                    <span class="tag warn">▨ {one.openGaps === 1 ? '1 gap' : `${one.openGaps} gaps`}</span>
                  ) : null}
                </span>
              </a>
            </li>
          )
        })}
      </ul>
    </aside>
  )
}
