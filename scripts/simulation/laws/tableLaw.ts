import { filter, pipe, share } from 'rxjs'
import { enrich } from '../../../src/operators/enrich.ts'
import { toTable } from '../../../src/operators/toTable.ts'
import { byKey, type Law, type LawValue, onReject, type Row, steps, timeByHand, withTimes } from './law.ts'

const isChange = ({ side }: LawValue) => side === 'right'
const takesAway = ({ n }: LawValue) => n % 5 === 0

/** Right values are changes of a table that left values look up. */
export const tableLaw: Law = {
  operator: 'toTable and enrich',
  draw(random) {
    const ttlMs = random.chance(0.7) ? random.int(1, 25) : null
    return {
      text: JSON.stringify({ ttlMs }),
      chain: pipe(
        timeByHand,
        (values) => {
          const shared = values.pipe(share())
          const table = toTable(shared.pipe(filter(isChange)), {
            ...{ name: 'table', by: byKey, maxKeys: 100, onReject },
            value: (value) => (takesAway(value) ? null : value.n),
            ...(ttlMs === null ? {} : { ttlMs }),
          })
          const found = enrich<LawValue, number, Row>(table, {
            by: byKey,
            with: ({ key, at, n }, row) => [key, at, n, row ?? null],
          })
          return shared.pipe(
            filter((value) => !isChange(value)),
            found,
          )
        },
        withTimes,
      ),
      define(events, isEnded) {
        const table = new Map<string, { readonly n: number; since: number }>()
        const rows: Row[] = []
        for (const { value, watermark } of steps(events, isEnded)) {
          if (value === null) {
            for (const [key, row] of table) {
              // What came before there was a time is as old as time.
              if (row.since === Number.NEGATIVE_INFINITY) row.since = watermark
              if (ttlMs !== null && row.since + ttlMs <= watermark) table.delete(key)
            }
          } else if (!isChange(value)) rows.push([value.key, value.at, value.n, table.get(value.key)?.n ?? null])
          else if (takesAway(value)) table.delete(value.key)
          else table.set(value.key, { n: value.n, since: watermark })
        }
        return { rows, late: [], kept: table.size * (ttlMs === null ? 1 : 2) }
      },
      isOrderFree: false,
      isInTime: false,
    }
  },
}
