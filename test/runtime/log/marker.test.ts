import { expect, it } from 'vitest'
import { markerMessage } from '../../../src/runtime/log/marker.ts'
import { encodeRecordBatch } from '../../../src/sources/recordBatch/encode.ts'

it.each([null, Number.MIN_SAFE_INTEGER, 1_700_000_000_000, Number.MAX_SAFE_INTEGER])(
  'a marker of time %s is a record that a log takes, and tells the time as it is',
  (watermark) => {
    const marker = { pipeline: 'p', topic: 't', outlet: 'o', task: 0, tasks: 1, watermark, isEnd: false }
    const { time, key, value, headers = [] } = markerMessage(marker as never)
    expect(() => encodeRecordBatch(0, [{ timestamp: time, key, value, headers }])).not.toThrow()
    expect(JSON.parse(String(value))).toMatchObject({ watermark })
  },
)
