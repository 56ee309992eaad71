/** The frame with fields more in its payload, which are ours: `"fill":true`, `"epoch":1`. */
export function markedFrame(frame: Buffer, fields: string): Buffer {
  const text = frame.toString().trimEnd()
  const end = text.startsWith('{"stream":') && text.endsWith('}}') ? -2 : -1
  return Buffer.from(`${text.slice(0, end)},${fields}${text.slice(end)}`)
}
