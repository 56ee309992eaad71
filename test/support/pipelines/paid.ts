// A pipeline that hosts are tried on: two topics in, a table of each out.
import { map, type Observable } from 'rxjs'
import { z } from 'zod'
import { jsonCodec } from '../../../src/codecs/jsonCodec.ts'
import { topic } from '../../../src/codecs/topic.ts'
import { definePipeline } from '../../../src/runtime/pipeline/pipeline.ts'
import type { AppendTable } from '../../../src/runtime/store/table.ts'
import { toPostgres } from '../../../src/sinks/toPostgres.ts'

const event = jsonCodec(z.object({ id: z.int(), amount: z.int() }))

export interface Event {
  readonly id: number
  readonly amount: number
}

export const orders = topic('orders', { value: event })
export const payments = topic('payments', { value: event })

export function eventTable(name: string): AppendTable<Event> {
  return {
    mode: 'append',
    name,
    columns: [
      { name: 'id', type: 'integer', of: ({ id }) => id },
      { name: 'amount', type: 'integer', of: ({ amount }) => amount },
    ],
  }
}

const asRows = (events: Observable<Event>) => events.pipe(map((one) => ({ ...one })))

export const paid = definePipeline({
  name: 'paid',
  inputs: { orders: { topic: orders, idleAfterMs: 50 }, payments: { topic: payments, idleAfterMs: 50 } },
  build: ({ orders, payments }) => ({
    ordered: toPostgres(asRows(orders), eventTable('ordered')),
    paid: toPostgres(asRows(payments), eventTable('paid')),
  }),
})
