import type { Clock } from '../../runtime/clock.ts'
import type { AwaitedFill } from './awaitedFill.ts'
import type { BelievedTime } from './believedTime.ts'
import type { ConnectionKeeper } from './connectionKeeper.ts'
import type { ExchangeDialect } from './exchangeDialect.ts'
import { type GapFill, missedFrom } from './gapFill.ts'
import type { Inbox } from './inbox.ts'
import type { LiveCounts } from './liveCounts.ts'
import type { LiveLimits } from './liveLimits.ts'
import type { MissingTrades } from './missingTrades.ts'
import type { OpenGaps } from './openGaps.ts'
import { maxLeap, type Proof, type SymbolState } from './symbolState.ts'
import type { SymbolStates } from './symbolStates.ts'

export interface NewestToldOptions {
  readonly dialect: ExchangeDialect
  readonly clock: Clock
  readonly limits: LiveLimits
  readonly time: BelievedTime
  readonly states: SymbolStates
  readonly inbox: Inbox
  readonly fill: GapFill
  readonly awaited: AwaitedFill
  readonly gaps: OpenGaps
  readonly missing: MissingTrades
  readonly counts: LiveCounts
  /** Who keeps up the connection that a symbol comes by. */
  readonly keeperOf: (symbol: string) => ConnectionKeeper | undefined
}

/** Holds what the exchange says of a symbol's newest trade against what its stream has brought: a stream that has stalled is replaced, and what it did not bring is fetched. */
export class NewestTold {
  readonly #options: NewestToldOptions

  constructor(options: NewestToldOptions) {
    this.#options = options
  }

  /** What an exchange's frame that is no trade says. */
  hear(frame: Buffer): void {
    const { dialect, clock, time, states, missing, counts } = this.#options
    const told = dialect.newestOf(frame)
    const state = told === null ? undefined : states.get(told.symbol)
    if (told === null || state === undefined) {
      counts.otherFrames++
      return
    }
    const now = clock.now()
    state.heard(now)
    const through = time.believed(time.msOf(told.through), told.symbol, told.through)
    // The next one comes within seconds.
    if (through === null || (state.lastId !== null && told.lastId - state.lastId > maxLeap)) return
    state.hear({ lastId: told.lastId, through, heardAt: now })
    if (told.lastId === state.lastId) missing.endSuspicion(state)
  }

  /** Replaces connections that have stalled, and has trades fetched that the exchange has named and not brought. */
  lookForStalls(): void {
    const { clock, limits, dialect, states, inbox, awaited, keeperOf } = this.#options
    const now = clock.now()
    for (const state of states.all) {
      if (!state.isTrading) continue
      const { symbol, heardAt, pending } = state
      const keeper = keeperOf(symbol)
      const allowedMs = state.silenceAllowedMs(limits.busyStallMs, limits.symbolStallMs)
      if (now - heardAt > allowedMs && keeper?.waitingFor === null) {
        keeper.replace(`nothing of ${symbol} for ${Math.round((now - heardAt) / 1_000)} s`)
      }
      if (pending === null || now - pending.heardAt < limits.proofGraceMs || awaited.now !== null) continue
      // Trades that have been received and not yet looked at are not missing.
      if (inbox.isEmpty && dialect.hasContiguousIds) this.#fetch(state, pending, keeper)
    }
  }

  #fetch(state: SymbolState, pending: Proof, keeper: ConnectionKeeper | undefined): void {
    const { clock, fill, awaited, gaps, missing, counts } = this.#options
    const { symbol } = state
    // Where it is not known what was missed, this is no stall but the answer.
    if (gaps.suspectedOf(state) === undefined)
      keeper?.replace(`trade ${pending.lastId} of ${symbol}, which the exchange has named, did not come`)
    counts.gaps++
    awaited.begin({
      ...{ symbols: [symbol], since: clock.now() },
      pages: fill.between(missedFrom(state, pending.lastId)),
      end: () => {
        missing.leaveOpen(state, pending.lastId, pending.through)
        if (state.pending === pending) state.pending = null
      },
    })
  }
}
