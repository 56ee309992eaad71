// A pipeline that archives what it reads and sends some of it on: rows of it can be made again, messages cannot.
import { filter, map } from 'rxjs'
import { z } from 'zod'
import { jsonCodec } from '../../../src/codecs/jsonCodec.ts'
import { definePipeline } from '../../../src/runtime/pipeline/pipeline.ts'
import type { UpsertTable } from '../../../src/runtime/store/table.ts'
import { toArchive } from '../../../src/sinks/toArchive.ts'
import { toPostgres } from '../../../src/sinks/toPostgres.ts'
import { toTopic } from '../../../src/sinks/toTopic.ts'

interface Order {
  readonly id: number
  readonly amount: number
}

const table: UpsertTable<Order> = {
  mode: 'upsert',
  name: 'archived_order',
  key: ['id'],
  revision: 'amount',
  columns: [
    { name: 'id', type: 'integer', of: ({ id }) => id },
    { name: 'amount', type: 'integer', of: ({ amount }) => amount },
  ],
}

export const archived = definePipeline({
  name: 'archived',
  inputs: { orders: { topic: 'orders', codec: jsonCodec(z.object({ id: z.int(), amount: z.int() })) } },
  build: ({ orders }) => ({
    raw: toArchive(orders),
    rows: toPostgres(orders, table),
    sent: toTopic(
      orders.pipe(
        filter(({ id }) => id % 10 === 0),
        map(({ id }) => String(id)),
      ),
      { topic: 'tens', at: () => 1_768_000_000_000, encode: (id) => Buffer.from(id) },
    ),
  }),
})
