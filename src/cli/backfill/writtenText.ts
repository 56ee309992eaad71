import type { WrittenKlines } from '../../backfill/klineStore.ts'
import { countText } from '../../console/text.ts'

/** `44,640 candles added, 2 changed, 0 the same as before.` */
export function writtenText({ added, changed, unchanged }: WrittenKlines): string {
  if (added + changed + unchanged === 0) return 'nothing to fetch, all of it is there.'
  return `${countText(added)} candles added, ${countText(changed)} changed, ${countText(unchanged)} the same as before.`
}
