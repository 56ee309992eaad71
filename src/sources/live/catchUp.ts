import type { Clock } from '../../runtime/clock.ts'
import type { AwaitedFill } from './awaitedFill.ts'
import type { BelievedTime } from './believedTime.ts'
import type { ExchangeDialect } from './exchangeDialect.ts'
import { type GapFill, type Missed, missedFrom, type Pages } from './gapFill.ts'
import type { LiveCounts } from './liveCounts.ts'
import type { MissingTrades } from './missingTrades.ts'
import type { SymbolState } from './symbolState.ts'
import type { SymbolStates } from './symbolStates.ts'
import type { TradesRest } from './tradesRest.ts'

export interface CatchUpOptions {
  readonly dialect: ExchangeDialect
  readonly rest: TradesRest
  readonly clock: Clock
  readonly time: BelievedTime
  readonly states: SymbolStates
  readonly fill: GapFill
  readonly awaited: AwaitedFill
  readonly missing: MissingTrades
  readonly counts: LiveCounts
  readonly signal: AbortSignal
  readonly onNotice: (notice: string) => void
}

/** After a lost connection, or a start: fetches what each known symbol has missed. Quiet ones too, for their next trade may be long in coming. */
export class CatchUp {
  readonly #options: CatchUpOptions

  constructor(options: CatchUpOptions) {
    this.#options = options
  }

  begin(symbols: readonly string[]): void {
    const { dialect, clock, states, fill, awaited } = this.#options
    const known = symbols.flatMap((symbol) => {
      const state = states.get(symbol)
      return state?.lastId == null ? [] : [state]
    })
    if (known.length === 0) return
    const filling = { symbols: known.map(({ symbol }) => symbol), since: clock.now() }
    if (!dialect.hasContiguousIds) {
      const missed = known.map((state) => missedFrom(state, Number.POSITIVE_INFINITY))
      awaited.begin({ ...filling, pages: fill.catchUp(missed, fill.newDeadline()), end: () => undefined })
      return
    }
    const ends: (() => void)[] = []
    const end = () => {
      for (const one of ends) one()
    }
    awaited.begin({ ...filling, pages: this.#missedBy(known, ends), end })
  }

  /** What these have missed, as far as REST tells. @param ends gets what is to be done when it has come */
  async *#missedBy(known: readonly SymbolState[], ends: (() => void)[]): Pages {
    const { time, fill, missing, counts, signal, onNotice } = this.#options
    const deadline = fill.newDeadline()
    const days = await fill.days(
      known.map(({ symbol }) => symbol),
      deadline,
    )
    if (days === null && !signal.aborted) onNotice(`what was missed could not be asked: ${fill.why}`)
    const missed: Missed[] = []
    for (const state of known) {
      const day = days?.get(state.symbol)
      if (day === undefined) {
        if (state.isTrading) ends.push(() => missing.suspect(state))
        continue
      }
      if (day.lastId >= 0 && day.lastId < (state.lastId ?? -1)) await this.#askRestart(state)
      if (day.lastId > (state.lastId ?? -1)) missed.push(missedFrom(state, day.lastId))
      ends.push(() => missing.leaveOpen(state, day.lastId, time.msOf(day.closeTime)))
    }
    counts.gaps += missed.length
    yield* fill.catchUp(missed, deadline)
  }

  /** The newest id lies behind: either REST is behind, or the ids have started again, which the time of the trade tells. */
  async #askRestart(state: SymbolState): Promise<void> {
    const { rest, time, missing, signal } = this.#options
    const answer = await rest.recent(state.symbol, 1, signal)
    const newest = 'trades' in answer ? answer.trades.at(-1) : undefined
    if (newest === undefined || state.lastId === null || state.reach === null) return
    if (newest.id < state.lastId && time.msOf(newest.time) > state.reach) missing.restart(state, newest.id)
  }
}
