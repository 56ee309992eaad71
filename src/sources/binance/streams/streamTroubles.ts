import type { FeedTrouble } from '../../../runtime/log/feed.ts'
import type { ConnectionKeeper } from '../../live/connectionKeeper.ts'
import type { AggTradeFill } from './aggTradeFill.ts'
import type { StreamState } from './streamState.ts'

export interface StreamTroublesOptions {
  readonly keepers: readonly Pick<ConnectionKeeper, 'lostAt' | 'waitingFor'>[]
  readonly states: readonly (readonly [stream: string, state: StreamState | undefined])[]
  readonly waiting: AggTradeFill['waiting']
  /** ms by the feed's clock. */
  readonly now: number
  readonly isSilent: (state: StreamState, now: number) => boolean
}

const shown = 5

/** What is wrong with the streams of a topic, and since when; what the address is refused the feed of trades tells. */
export function streamTroubles(options: StreamTroublesOptions): readonly FeedTrouble[] {
  const { keepers, states, waiting, now, isSilent } = options
  const troubles: FeedTrouble[] = []
  for (const { lostAt, waitingFor } of keepers) {
    if (lostAt !== null && waitingFor !== null)
      troubles.push({ what: `no connection to the exchange: ${waitingFor}`, since: lostAt })
  }
  const silent = states.flatMap(([stream, state]) =>
    state !== undefined && isSilent(state, now) ? [{ stream, since: state.heardAt }] : [],
  )
  if (silent.length > 0) {
    const names = silent.slice(0, shown).map(({ stream }) => stream)
    const more = silent.length > shown ? ` and ${silent.length - shown} more` : ''
    troubles.push({
      what: `nothing is heard of ${names.join(', ')}${more}`,
      since: Math.min(...silent.map(({ since }) => since)),
    })
  }
  if (waiting !== null) {
    const { symbol, why, since } = waiting
    troubles.push({ what: `all wait for missing aggregates of ${symbol}: ${why}`, since })
  }
  return troubles
}
