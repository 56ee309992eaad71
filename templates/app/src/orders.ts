import { jsonCodec, textCodec, topic } from 'millrace'
import { z } from 'zod'

/** What is ordered, when (ms UTC), and for how much. A record that does not fit becomes a dead letter. */
const order = z.object({ id: z.int(), product: z.string(), at: z.int(), cents: z.int() })

export type Order = z.infer<typeof order>

/** The topic, shared by the feed that fills it and the pipeline that reads it. */
export const orders = topic('orders', { key: textCodec(), value: jsonCodec(order) })
