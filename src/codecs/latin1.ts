/** What `toString('latin1', …)` calls once it has looked at its arguments, which takes as long again for a short text. Every Node has it, and its documentation does not. */
interface WithSlice {
  readonly latin1Slice?: (this: Buffer, start: number, end: number) => string
}

const { latin1Slice } = Buffer.prototype as WithSlice

/** The bytes at `[start, end)` of a buffer, each as one character. */
export const latin1Text: (buffer: Buffer, start: number, end: number) => string =
  latin1Slice === undefined
    ? (buffer, start, end) => buffer.toString('latin1', start, end)
    : (buffer, start, end) => latin1Slice.call(buffer, start, end)
