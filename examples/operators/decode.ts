import { decode, definePipeline, jsonCodec, table, toPostgres } from 'millrace'
import { testPipeline } from 'millrace/testing'
import { z } from 'zod'

const numbers = definePipeline({
  name: 'numbers',
  build: (records) => ({
    number: toPostgres(
      records.pipe(decode(jsonCodec(z.object({ n: z.int() })))),
      table('number', { columns: { n: 'integer' } }),
    ),
  }),
})

const run = testPipeline(numbers)
run.push({ value: '{"n":1}' }, { value: '{"n":' }, { value: '{"n":3}' })
console.log(run.rows('number'))
console.log(run.deadLetters().map(({ reason }) => reason))
run.finish()

// [ { n: 1 }, { n: 3 } ]
// [ 'not-json' ]
