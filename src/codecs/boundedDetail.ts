const maxChars = 240

/** The detail of a rejection, cut where it is longer than 240 characters. */
export function boundedDetail(detail: string): string {
  return detail.length <= maxChars ? detail : `${detail.slice(0, maxChars - 1)}…`
}
