import zlib from 'node:zlib'
import { lz4Decompress } from '@platformatic/wasm-utils'
import { lz4MostBytes } from './lz4Frame.ts'
import { snappyDecompressed } from './snappy.ts'

const GZIP = 1
const SNAPPY = 2
const LZ4 = 3
const ZSTD = 4

/**
 * A walker's `decompress` for every codec that Kafka knows. What a batch says about its own size is asked before memory is given
 * to it, so a small batch cannot take more than `mostBytes`.
 */
export function decompress(codec: number, bytes: Buffer, mostBytes: number): Buffer | null {
  switch (codec) {
    case GZIP:
      return unlessTooLarge(() => zlib.gunzipSync(bytes, { maxOutputLength: mostBytes }))
    case SNAPPY:
      return snappyDecompressed(bytes, mostBytes)
    case LZ4:
      return lz4MostBytes(bytes) > mostBytes ? null : lz4Decompress(bytes)
    case ZSTD:
      return unlessTooLarge(() => zlib.zstdDecompressSync(bytes, { maxOutputLength: mostBytes }))
    default:
      throw new Error(`there is no codec ${codec}`)
  }
}

function unlessTooLarge(inflate: () => Buffer): Buffer | null {
  try {
    return inflate()
  } catch (error) {
    if (error instanceof RangeError && 'code' in error && error.code === 'ERR_BUFFER_TOO_LARGE') return null
    throw error
  }
}
