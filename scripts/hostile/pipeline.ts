// What runs in the process under test: rows, messages and raw records of whatever fits.
import { map, mergeMap, range, share } from 'rxjs'
import { z } from 'zod'
import { jsonCodec } from '../../src/codecs/jsonCodec.ts'
import { decode } from '../../src/operators/decode.ts'
import { definePipeline } from '../../src/runtime/pipeline/pipeline.ts'
import { table } from '../../src/sinks/table.ts'
import { toArchive } from '../../src/sinks/toArchive.ts'
import { toPostgres } from '../../src/sinks/toPostgres.ts'
import { toTopic } from '../../src/sinks/toTopic.ts'

const event = z.object({ id: z.int().min(0), rows: z.int().min(0).default(1), pad: z.string().default('') })
const mostPad = 100_000

export const hostile = definePipeline({
  name: 'hostile',
  build: (records) => {
    const events = records.pipe(decode(jsonCodec(event)), share())
    return {
      raw: toArchive(records),
      sound: toPostgres(
        events.pipe(mergeMap(({ id, rows, pad }) => range(rows).pipe(map((row) => ({ id, row, pad: pad.length }))))),
        table('sound', { columns: { id: 'bigint', row: 'bigint', pad: 'bigint' } }),
      ),
      copies: toTopic(events, {
        topic: 'hostile.copies',
        at: ({ id }) => id,
        encode: ({ pad }) => JSON.stringify(pad.slice(0, mostPad)),
      }),
    }
  },
})
