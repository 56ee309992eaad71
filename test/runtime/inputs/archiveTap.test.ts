import { describe, expect, it } from 'vitest'
import { ArchiveTap } from '../../../src/runtime/inputs/archiveTap.ts'
import { ReadAhead } from '../../../src/runtime/log/readAhead.ts'
import type { ArchiveWriter } from '../../../src/runtime/store/archive.ts'

/** What an archive is given that goes on at the offset. */
function tapAt(offset: number) {
  const given: number[] = []
  const append: ArchiveWriter['append'] = (record) => given.push(record.offset)
  const appendAll: ArchiveWriter['appendAll'] = (records, end) => {
    for (; records.at < end; records.at += 1) given.push(records.offsets[records.at] as number)
    records.at = end - 1
  }
  const writer: Pick<ArchiveWriter, 'append' | 'appendAll'> = { append, appendAll }
  return { tap: new ArchiveTap(writer as ArchiveWriter, 0, offset), given }
}

function aheadOf(...offsets: number[]): ReadAhead {
  const ahead = new ReadAhead(offsets.length)
  ahead.offsets.set(offsets)
  ahead.count = offsets.length
  ahead.at = 0
  return ahead
}

describe('an archive that has some of the records that were read ahead', () => {
  it('is given the others, and the last is at hand', () => {
    for (const [from, wanted] of [
      [0, [3, 4, 6, 7]],
      [4, [4, 6, 7]],
      [5, [6, 7]],
      [7, [7]],
      [8, []],
    ] as const) {
      const { tap, given } = tapAt(from)
      const ahead = aheadOf(3, 4, 6, 7)
      tap.appendAll(ahead, 4, { isJsonObject: true })
      expect(given).toEqual(wanted)
      expect(ahead.at).toBe(3)
    }
  })

  it('is given none of them again', () => {
    const { tap, given } = tapAt(0)
    tap.appendAll(aheadOf(0, 1, 2), 3, { isJsonObject: true })
    const again = aheadOf(1, 2, 3)
    tap.append(again.show())
    tap.appendAll(again, 3, { isJsonObject: true })
    expect(given).toEqual([0, 1, 2, 3])
    expect(tap.has(4)).toBe(true)
  })
})
