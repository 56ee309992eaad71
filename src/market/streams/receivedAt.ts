import type { RecordView } from '../../runtime/log/record.ts'

/** Under which name a feed notes on a record when its frame came: ms UTC, in digits. */
export const receivedHeader = 'received'
const name = Buffer.from(receivedHeader)

/** When the frame of a record came, as its feed has noted it, ms UTC; null where it has not. */
export function receivedAtOf(record: RecordView): number | null {
  const value = record.headerValue(name)
  if (value == null) return null
  const time = Number(Buffer.from(value).toString('latin1'))
  return Number.isSafeInteger(time) && time > 0 ? time : null
}
