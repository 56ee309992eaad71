import type pg from 'pg'
import { checkSeenQuality } from '../quality/checkQuality.ts'
import { type QualityRun, releaseRows } from '../quality/saveQuality.ts'
import type { Seen } from '../quality/sight.ts'
import { silverQuality } from './klineQuality.ts'

/** Minutes of a symbol, `from` inclusive, `to` exclusive, ms UTC. */
interface MarketWindow {
  readonly market: string
  readonly symbol: string
  readonly from: number
  readonly to: number
}

/** What is found of each is in memory. */
const windowsAtOnce = 1_000

const given = ({ market, symbol, from, to }: MarketWindow) => ({ key: { market, symbol }, from, to })

/** What stands between silver and gold in a pass. */
export const silverBoundary = { expects: silverQuality, judge }

/** Judges the minutes of silver in the transaction of a pass, and gives the windows that nothing may be made of. */
async function judge<W extends MarketWindow>(
  client: pg.ClientBase,
  windows: readonly W[],
  run: QualityRun & { readonly emptied: readonly W[]; readonly seen: Seen | null },
): Promise<readonly W[]> {
  await releaseRows(client, silverQuality, run.emptied.map(given), run)
  const blocked: W[] = []
  for (let at = 0; at < windows.length; at += windowsAtOnce) {
    const some = windows.slice(at, at + windowsAtOnce)
    const verdict = await checkSeenQuality(client, silverQuality, some.map(given), run, run.seen)
    blocked.push(...some.filter((_, i) => verdict.windows[i]?.isBlocked !== false))
  }
  return blocked
}
