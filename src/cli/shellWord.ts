/** A word as a shell takes it for one: in quotes, where it has something that the shell would take for more. */
export function shellWord(word: string): string {
  return /^[\w./:@%+,=-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`
}
