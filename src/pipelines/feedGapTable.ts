import type { FeedGap } from '../market/feedGap.ts'
import type { UpsertTable } from '../runtime/store/table.ts'

/** What is missing, a row a gap: see sql/. Its newest state replaces the others. */
export const feedGapTable: UpsertTable<FeedGap> = {
  mode: 'upsert',
  name: 'feed_gap',
  key: ['market', 'symbol', 'epoch', 'first_id'],
  revision: 'revision',
  columns: [
    { name: 'market', type: 'text', of: (gap) => gap.market },
    { name: 'symbol', type: 'text', of: (gap) => gap.symbol },
    { name: 'epoch', type: 'integer', of: (gap) => gap.epoch },
    { name: 'first_id', type: 'bigint', of: (gap) => gap.firstId },
    { name: 'last_id', type: 'bigint', of: (gap) => gap.lastId },
    { name: 'from_time', type: 'timestamptz', of: (gap) => gap.fromTime },
    { name: 'to_time', type: 'timestamptz', of: (gap) => gap.toTime },
    { name: 'state', type: 'text', of: (gap) => gap.state },
    { name: 'missing', type: 'bigint', of: (gap) => gap.missing },
    { name: 'reason', type: 'text', of: (gap) => gap.reason },
    { name: 'seen_at', type: 'timestamptz', of: (gap) => gap.seenAt },
    { name: 'filled_at', type: 'timestamptz', of: (gap) => (gap.state === 'open' ? null : gap.at) },
    { name: 'revision', type: 'integer', of: (gap) => gap.revision },
  ],
}
