/** As JSON, bytes as text of one character each. */
export function text(value: unknown): string {
  return JSON.stringify(value, function (this: Readonly<Record<string, unknown>>, name: string, inner: unknown) {
    if (typeof inner === 'bigint') return String(inner)
    // A buffer has turned itself into something else by now.
    const given = this[name]
    return given instanceof Uint8Array ? Buffer.from(given).toString('latin1') : inner
  })
}
