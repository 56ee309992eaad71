import type { AlertEvent } from '../market/alertEvent.ts'
import type { UpsertTable } from '../runtime/store/table.ts'

/** The table of decisions, a row each: see sql/. A replay writes the same rows. */
export const alertTable: UpsertTable<AlertEvent> = {
  mode: 'upsert',
  name: 'alert_event',
  isShared: true,
  key: ['rule', 'market', 'symbol', 'interval', 'open_time', 'transition', 'revision'],
  revision: 'revision',
  columns: [
    { name: 'rule', type: 'text', of: (event) => event.rule },
    { name: 'market', type: 'text', of: (event) => event.market },
    { name: 'symbol', type: 'text', of: (event) => event.symbol },
    { name: 'interval', type: 'text', of: (event) => event.interval },
    { name: 'open_time', type: 'timestamptz', of: (event) => event.openTime },
    { name: 'transition', type: 'text', of: (event) => event.transition },
    { name: 'revision', type: 'integer', of: (event) => event.revision },
    { name: 'kind', type: 'text', of: (event) => event.kind },
    { name: 'severity', type: 'text', of: (event) => event.severity },
    { name: 'corrects', type: 'text', of: (event) => event.corrects },
    { name: 'at', type: 'timestamptz', of: (event) => event.at },
    { name: 'value', type: 'text', of: (event) => event.value },
    { name: 'threshold', type: 'text', of: (event) => event.threshold },
    { name: 'muted', type: 'integer', of: (event) => event.muted },
    { name: 'is_complete', type: 'boolean', of: (event) => event.isComplete },
    { name: 'text', type: 'text', of: (event) => event.text },
  ],
}
