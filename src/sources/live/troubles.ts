import type { Clock } from '../../runtime/clock.ts'
import type { FeedTrouble } from '../../runtime/log/feed.ts'
import type { AddressLimits } from './addressLimits.ts'
import type { ConnectionKeeper } from './connectionKeeper.ts'
import type { LateFill } from './lateFill.ts'
import type { LiveLimits } from './liveLimits.ts'
import { isSuspected, type OpenGap } from './openGaps.ts'
import type { SymbolState } from './symbolState.ts'

export interface TroublesOptions {
  readonly clock: Clock
  readonly address: AddressLimits
  readonly keepers: () => readonly ConnectionKeeper[]
  readonly states: () => readonly SymbolState[]
  readonly gaps: () => readonly OpenGap[]
  readonly late: LateFill
  /** The gap that everything waits for, or null. */
  readonly filling: () => { readonly symbols: readonly string[]; readonly since: number; readonly why: string } | null
  readonly limits: LiveLimits
}

const shown = 5

/** Says what is wrong with a feed now, and since when, in words that somebody who is woken up can act on. Keeps nothing. */
export class Troubles {
  readonly #options: TroublesOptions

  constructor(options: TroublesOptions) {
    this.#options = options
  }

  now(): readonly FeedTrouble[] {
    return [...this.#connections(), ...this.#refusals(), ...this.#symbols(), ...this.#filling(), ...this.#gaps()]
  }

  *#connections(): Iterable<FeedTrouble> {
    for (const { lostAt, waitingFor } of this.#options.keepers()) {
      if (lostAt !== null && waitingFor !== null)
        yield { what: `no connection to the exchange: ${waitingFor}`, since: lostAt }
    }
  }

  *#refusals(): Iterable<FeedTrouble> {
    const { restBlock, connectBlock } = this.#options.address
    const { clock } = this.#options
    for (const [block, what] of [
      [restBlock, 'REST is asked nothing'],
      [connectBlock, 'no connection is opened'],
    ] as const) {
      if (block === null) continue
      yield {
        what: `${what} for ${Math.ceil((block.until - clock.now()) / 1_000)} s more: ${block.why}`,
        since: block.since,
      }
    }
  }

  *#symbols(): Iterable<FeedTrouble> {
    const { clock, limits, states } = this.#options
    const now = clock.now()
    const halted: SymbolState[] = []
    const stalled: SymbolState[] = []
    const silent: SymbolState[] = []
    for (const state of states()) {
      if (!state.isTrading) halted.push(state)
      else if (state.pending !== null && now - state.pending.heardAt > limits.proofGraceMs) stalled.push(state)
      else if (now - state.heardAt > state.silenceAllowedMs(limits.busyStallMs, limits.symbolStallMs))
        silent.push(state)
    }
    const since = (some: readonly SymbolState[]) => Math.min(...some.map(({ heardAt }) => heardAt))
    if (stalled.length > 0) {
      const oldest = Math.min(...stalled.map(({ pending, heardAt }) => pending?.heardAt ?? heardAt))
      yield { what: `trades that the exchange has named do not come: ${names(stalled)}`, since: oldest }
    }
    if (silent.length > 0) yield { what: `nothing is heard of ${names(silent)}`, since: since(silent) }
    if (halted.length > 0) yield { what: `not traded, says the exchange: ${names(halted)}`, since: since(halted) }
  }

  *#filling(): Iterable<FeedTrouble> {
    const { filling, clock, limits } = this.#options
    const found = filling()
    if (found === null || clock.now() - found.since < limits.proofGraceMs) return
    const { symbols, since, why } = found
    const which = symbols.length > shown ? `${symbols.slice(0, shown).join(', ')} and others` : symbols.join(', ')
    yield { what: `all wait for missing trades of ${which}: ${why === '' ? 'REST is being asked' : why}`, since }
  }

  *#gaps(): Iterable<FeedTrouble> {
    const { gaps, late } = this.#options
    const suspected = gaps().filter(isSuspected)
    if (suspected.length > 0) {
      const why = late.trouble ?? 'it is being asked'
      yield {
        what: `whether trades are missing is not known of ${symbolsOf(suspected)}: ${why}`,
        since: Math.min(...suspected.map(({ seenAt }) => seenAt)),
      }
    }
    const open = gaps().filter((gap) => !isSuspected(gap))
    if (open.length === 0) return
    const missing = open.reduce((sum, { next, lastId }) => sum + lastId + 1 - next, 0)
    const count = open.length === 1 ? 'a gap is open' : `${open.length} gaps are open`
    const why = late.trouble === null ? 'they are being fetched' : late.trouble
    yield {
      what: `${count}, ${missing} trades missing of ${symbolsOf(open)}: ${why}`,
      since: Math.min(...open.map(({ seenAt }) => seenAt)),
    }
  }
}

function symbolsOf(gaps: readonly OpenGap[]): string {
  const which = [...new Set(gaps.map(({ symbol }) => symbol))]
  return `${which.slice(0, shown).join(', ')}${which.length > shown ? ' and others' : ''}`
}

function names(states: readonly SymbolState[]): string {
  const some = states.slice(0, shown).map(({ symbol }) => symbol)
  return states.length > shown ? `${some.join(', ')} and ${states.length - shown} more` : some.join(', ')
}
