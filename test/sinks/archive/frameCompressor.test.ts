import { createHash } from 'node:crypto'
import zlib from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { FrameCompressor } from '../../../src/sinks/archive/frameCompressor.ts'

const params = { [zlib.constants.ZSTD_c_compressionLevel]: 1, [zlib.constants.ZSTD_c_checksumFlag]: 1 }
const outputBytes = 64 * 1024
/** What a frame adds to bytes that nothing can make smaller, in one block: of 64 KiB and more, and of less. */
const overhead = 16
const smallOverhead = 13

/** Bytes without any pattern, the same in each run. */
function noise(length: number): Buffer {
  const blocks: Buffer[] = []
  for (let i = 0; i * 32 < length; i++) blocks.push(createHash('sha256').update(`${length} ${i}`).digest())
  return Buffer.concat(blocks).subarray(0, length)
}

const frameOf = async (compressor: FrameCompressor, piece: Buffer) => Buffer.concat(await compressor.compress(piece))

describe('a frame', () => {
  it('is of its piece alone, also where it ends as the output buffer of its stream does', async () => {
    const used = new FrameCompressor(params)
    const first = noise(100_000)
    expect(await frameOf(used, first)).toHaveLength(100_000 + overhead)
    for (const around of [-1, 0, 1]) {
      const compressor = new FrameCompressor(params)
      await frameOf(compressor, first)
      const piece = noise(3 * outputBytes - (100_000 + overhead) - overhead + around)
      const frame = await frameOf(compressor, piece)
      expect(frame).toEqual(await frameOf(new FrameCompressor(params), piece))
      expect(frame).toHaveLength(piece.length + overhead)
      expect(zlib.zstdDecompressSync(frame)).toEqual(piece)
      expect(await frameOf(compressor, first)).toEqual(await frameOf(used, first))
    }
  })

  it('is whole where thirteen bytes of it lie in the next output buffer, and where it is of nothing', async () => {
    const compressor = new FrameCompressor(params)
    const first = noise(100_000)
    await frameOf(compressor, first)
    const piece = noise(3 * outputBytes - (100_000 + overhead) - overhead + 13)
    const frame = await frameOf(compressor, piece)
    expect(frame).toHaveLength(piece.length + overhead)
    expect(zlib.zstdDecompressSync(frame)).toEqual(piece)
    expect(await frameOf(compressor, Buffer.alloc(0))).toHaveLength(smallOverhead)
  })

  it('is of its piece alone where it is small and the output buffer of a stream would have room for it, or not', async () => {
    const fresh = await frameOf(new FrameCompressor(params), noise(40_000))
    expect(fresh).toHaveLength(40_000 + smallOverhead)
    for (const before of [65_536, 70_000, 100_000, 131_000]) {
      const compressor = new FrameCompressor(params)
      await frameOf(compressor, noise(before))
      for (const text of [noise(40_000), Buffer.from('{"offset":7,"price":"61837.63"}\n'.repeat(1_500))]) {
        expect(await frameOf(compressor, text)).toEqual(await frameOf(new FrameCompressor(params), text))
      }
    }
  })

  it('is the same of text, in any order and beside others', async () => {
    const pieces = Array.from({ length: 60 }, (_, i) =>
      Buffer.from(
        noise(300 + i * 997)
          .toString('hex')
          .repeat(1 + (i % 3)),
      ),
    )
    const fresh = await Promise.all(pieces.map((piece) => frameOf(new FrameCompressor(params), piece)))
    const used = new FrameCompressor(params)
    for (let round = 0; round < 3; round++) {
      const order = pieces.map((_, i) => (i * 7 + round) % pieces.length)
      const frames = await Promise.all(order.map((i) => frameOf(used, pieces[i] as Buffer)))
      for (const [at, i] of order.entries()) expect(frames[at]?.equals(fresh[i] as Buffer)).toBe(true)
    }
  })
})
