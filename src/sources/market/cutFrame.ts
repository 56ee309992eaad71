/** Largest frame that goes into the log whole. */
export const defaultMaxFrameBytes = 8 * 1024 * 1024

/**
 * A frame that is too large for the log, cut, behind a line that says so. The line is not JSON: whatever the frame held, a decoder sets it
 * aside instead of taking a part for the whole.
 */
export function cutFrame(start: Buffer, fullLength: number, maxBytes: number): Buffer {
  const note = Buffer.from(`!cut: frame of ${fullLength} bytes, larger than ${maxBytes}, its start follows\n`)
  const kept = Math.max(0, maxBytes - note.length)
  return Buffer.concat([note, start.subarray(0, kept)])
}
