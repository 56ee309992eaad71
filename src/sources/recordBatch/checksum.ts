import { createRequire } from 'node:module'
import { crc32c } from './crc32c.ts'

/** Below this many bytes the call into native code costs more than it saves. */
const WORTH_A_CALL_BYTES = 1_024

/**
 * CRC-32C of a range: by the processor's own instruction where `@node-rs/crc32` is installed, an optional dependency with prebuilt
 * binaries (5 GB/s here), else in JavaScript (1.5 GB/s).
 */
export const checksum: (bytes: Buffer, start: number, end: number) => number = withNative(loadNative())

type NativeCrc32c = (bytes: Buffer) => number

function withNative(native: NativeCrc32c | null) {
  if (native === null) return crc32c
  return (bytes: Buffer, start: number, end: number) =>
    end - start < WORTH_A_CALL_BYTES ? crc32c(bytes, start, end) : native(bytes.subarray(start, end))
}

function loadNative(): NativeCrc32c | null {
  try {
    const { crc32c: native } = createRequire(import.meta.url)('@node-rs/crc32') as { crc32c: NativeCrc32c }
    // The check value of the CRC catalogue: a binary that answers otherwise would refuse every batch.
    return native(Buffer.from('123456789')) === 0xe3069283 ? native : null
  } catch {
    return null
  }
}
