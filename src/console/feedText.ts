import type { FeedFacts } from './snapshot.ts'
import { countText } from './text.ts'

/** What a feed counts that somebody should know of, each with its words for one and for several. */
const told: readonly (readonly [count: string, one: string, several: string])[] = [
  ['gaps', 'gap', 'gaps'],
  ['openGaps', 'gap open', 'gaps open'],
  ['missing', 'trade missing', 'trades missing'],
  ['filled', 'trade fetched', 'trades fetched'],
  ['filledLate', 'trade fetched later', 'trades fetched later'],
  ['duplicates', 'repeat left out', 'repeats left out'],
  ['restarts', 'restart of ids', 'restarts of ids'],
  ['reconnects', 'reconnect', 'reconnects'],
  ['unreadable', 'unreadable frame', 'unreadable frames'],
]

/** `2 gaps, 12 trades fetched, 1 reconnect`, or null where all of it is none. */
export function feedCountsText(counts: FeedFacts['counts']): string | null {
  const parts = told.flatMap(([name, one, several]) => {
    const count = counts[name] ?? 0
    return count === 0 ? [] : [`${countText(count)} ${count === 1 ? one : several}`]
  })
  return parts.length === 0 ? null : parts.join(', ')
}

/** A line for each thing that is wrong with a feed, and since when. */
export function troubleLines({ name, troubles }: FeedFacts): readonly string[] {
  return troubles.map(({ what, since }) => `${name}: ${what} (since ${new Date(since).toISOString()})`)
}
