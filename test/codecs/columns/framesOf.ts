/** Frames one after the other in one buffer, with something else between them, as in a batch. */
export function framesOf(texts: readonly (string | Buffer | null)[], between = 5) {
  const parts: Buffer[] = []
  const starts = new Int32Array(texts.length)
  const lengths = new Int32Array(texts.length)
  let at = 0
  for (const [frame, text] of texts.entries()) {
    const bytes = text === null ? Buffer.alloc(0) : Buffer.from(text as string)
    starts[frame] = at
    lengths[frame] = text === null ? -1 : bytes.length
    parts.push(bytes, Buffer.alloc(between, '"1,}}'))
    at += bytes.length + between
  }
  return { buffer: Buffer.concat(parts), starts, lengths, count: texts.length }
}
