/** One text of two, whatever characters both have: how long the first one is tells where the second begins. */
export function pairName(first: string, second: string | number): string {
  return `${first.length}:${first}${second}`
}
