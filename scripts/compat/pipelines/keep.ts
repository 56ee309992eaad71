// What every case runs: each record becomes a row, and, where the environment says so, a message in another topic and a line of the archive.
import { share } from 'rxjs'
import { decode } from '../../../src/operators/decode.ts'
import type { RecordHeader } from '../../../src/runtime/log/record.ts'
import { definePipeline } from '../../../src/runtime/pipeline/pipeline.ts'
import { toArchive } from '../../../src/sinks/toArchive.ts'
import { toPostgres } from '../../../src/sinks/toPostgres.ts'
import { toTopic } from '../../../src/sinks/toTopic.ts'

interface Kept {
  readonly key: Uint8Array | null
  readonly value: Uint8Array | null
  readonly headers: readonly RecordHeader[]
  readonly timestamp: number
}

const hex = (bytes: Uint8Array | null) => (bytes === null ? null : Buffer.from(bytes).toString('hex'))
const { COMPAT_OUT: out, COMPAT_ARCHIVE: archive } = process.env

export const keep = definePipeline({
  name: 'keep',
  build: (records) => {
    const kept = records.pipe(
      decode({
        decode: (record): Kept => ({
          key: record.keyCopy(),
          value: record.valueCopy(),
          headers: record.headers(),
          timestamp: record.timestamp,
        }),
      }),
      share(),
    )
    return {
      kept: toPostgres(kept, {
        name: 'kept',
        mode: 'append',
        columns: [
          { name: 'key', type: 'text', of: ({ key }) => hex(key) },
          { name: 'value', type: 'text', of: ({ value }) => hex(value) },
          {
            name: 'headers',
            type: 'text',
            of: ({ headers }) => JSON.stringify(headers.map(({ key, value }) => [key, hex(value)])),
          },
        ],
      }),
      ...(out === undefined
        ? {}
        : {
            out: toTopic(kept, {
              topic: out,
              encode: ({ value }) => value,
              by: ({ key }) => key,
              at: ({ timestamp }) => Math.max(0, timestamp),
              headers: ({ headers }) => headers,
            }),
          }),
      ...(archive === undefined ? {} : { raw: toArchive(records) }),
    }
  },
})
