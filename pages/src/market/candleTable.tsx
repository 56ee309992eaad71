import { countText, decimalText } from '../../../src/console/text.ts'
import type { WireCandle } from '../../../src/web/protocol.ts'
import { zone } from '../shell/choices.ts'
import { DataTable } from '../shell/dataTable.tsx'
import { timeText } from '../shell/format.ts'
import type { SeriesStore } from './seriesStore.ts'

const shownRows = 200

/** The same as the chart, in words and exact numbers, the newest first. */
export function CandleTable({ store, intervalMs }: { readonly store: SeriesStore; readonly intervalMs: number }) {
  // Read so that the table moves with the candles.
  const newest = store.newest.value
  const rows = newest === null ? [] : store.candles.slice(-shownRows).reverse()
  const gaps = store.toldGaps.value
  const hasGap = (time: number) => gaps.some(({ from, to }) => from < time + intervalMs && to >= time)
  const indicators = [...store.values].flatMap(([indicator, { names, values }]) => {
    const byTime = new Map(values.map((value) => [value[0], value]))
    return names.map((name, i) => ({
      head: name === 'value' ? indicator : `${indicator} ${name}`,
      isNumber: true,
      cell: ([time]: WireCandle) => {
        const value = byTime.get(time)?.[i + 2]
        return value === undefined ? '' : value.toFixed(4)
      },
    }))
  })
  return (
    <DataTable
      caption={`Candles of ${store.wanted.symbol}, ${store.wanted.interval}, the newest ${rows.length}`}
      keyOf={([time]) => String(time)}
      rows={rows}
      isOfNumbers
      columns={[
        { head: `Open time, ${zone.value}`, cell: ([time]) => timeText(time, zone.value) },
        { head: 'Open', isNumber: true, cell: (one) => decimalText(one[1]) },
        { head: 'High', isNumber: true, cell: (one) => decimalText(one[2]) },
        { head: 'Low', isNumber: true, cell: (one) => decimalText(one[3]) },
        { head: 'Close', isNumber: true, cell: (one) => decimalText(one[4]) },
        { head: 'Volume', isNumber: true, cell: (one) => decimalText(one[5]) },
        { head: 'Trades', isNumber: true, cell: (one) => countText(one[6]) },
        {
          head: 'State',
          cell: ([time, , , , , , , isClosed, revision]) =>
            [
              isClosed === 1 ? (revision > 1 ? `◆ corrected, revision ${revision}` : 'closed') : '○ open',
              ...(hasGap(time) ? ['▨ trades missing'] : []),
            ].join(', '),
        },
        ...indicators,
      ]}
    />
  )
}
