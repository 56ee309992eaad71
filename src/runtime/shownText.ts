/** The text with what is invisible or would steer a terminal spelled out (`\u{1b}`), for messages that quote data. Line ends stay. */
export function shownText(text: string): string {
  return text.replace(/(?!\n)[\p{Cc}\p{Cf}]/gu, (character) => `\\u{${character.codePointAt(0)?.toString(16)}}`)
}
