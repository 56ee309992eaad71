import { share } from 'rxjs'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { jsonCodec } from '../../src/codecs/jsonCodec.ts'
import { topic } from '../../src/codecs/topic.ts'
import { graphMermaid } from '../../src/console/graphMermaid.ts'
import { graphText } from '../../src/console/graphText.ts'
import { enrich } from '../../src/operators/enrich.ts'
import { toTable } from '../../src/operators/toTable.ts'
import { definePipeline } from '../../src/runtime/pipeline/pipeline.ts'
import { graphOf } from '../../src/runtime/task/graph.ts'
import { toArchive } from '../../src/sinks/toArchive.ts'
import { toPostgres } from '../../src/sinks/toPostgres.ts'
import { toTopic } from '../../src/sinks/toTopic.ts'
import { toWebhook } from '../../src/sinks/toWebhook.ts'

const item = jsonCodec(z.object({ id: z.number(), cents: z.number() }))

/** Three inputs, one of them a table and one only kept raw, and an outlet of each kind. */
const shop = definePipeline({
  name: 'shop',
  inputs: {
    orders: topic('orders.v2', { value: item }),
    prices: { topic: topic('prices', { value: item }), movesTime: false },
    clicks: { topic: 'clicks' },
  },
  build: ({ orders, prices, clicks }) => {
    const known = toTable(prices, {
      name: 'known',
      by: ({ id }) => String(id),
      value: ({ cents }) => cents,
      maxKeys: 100,
    })
    const priced = orders.pipe(
      enrich(known, { by: ({ id }) => String(id), with: ({ id }, price) => ({ id, cents: price ?? 0 }) }),
      share(),
    )
    return {
      priced: toPostgres(priced, {
        mode: 'append',
        name: 'order_priced',
        columns: [{ name: 'id', type: 'integer', of: ({ id }) => id }],
      }),
      told: toTopic(priced, { topic: 'orders.priced', encode: ({ id }) => String(id), at: ({ id }) => id }),
      pager: toWebhook(priced, { url: 'https://pager.example/hook' }),
      raw: toArchive(clicks),
    }
  },
})

describe('a graph of several inputs and an outlet of each kind', () => {
  it('as text says which topics, tables, destinations and archives there are', () => {
    expect(`\n${graphText(graphOf(shop)).join('\n')}`).toBe(`
pipeline shop

orders (topic orders.v2) → decode orders → enrich known ┬→ ▣ priced (order_priced)
                                                        ├→ ▣ told (topic orders.priced)
                                                        └→ ▣ pager (to pager.example)
clicks (topic clicks) → ▣ raw (archive)
prices (topic prices, a table) → decode prices → ▤ known → enrich known ↑

▣: an outlet, and where it goes (its table, where that has another name)   ▤: rows that those below look up   ↑: drawn above`)
  })

  it('as a flowchart has a shape for each', () => {
    const shapes = graphMermaid(graphOf(shop)).filter((line) => !line.includes('-->'))
    expect(shapes.slice(1).map((line) => line.replace(/^ {2}n\d+/, ''))).toEqual([
      '(["prices<br>topic prices#44; a table"])',
      '["decode prices"]',
      '[["known"]]',
      '(["orders<br>topic orders#46;v2"])',
      '["decode orders"]',
      '["enrich known"]',
      '[("priced<br>order_priced")]',
      '(["told<br>topic orders#46;priced"])',
      '[/"pager<br>to pager#46;example"/]',
      '(["clicks<br>topic clicks"])',
      '[("raw<br>archive")]',
    ])
  })

  it('as JSON has it in fields', () => {
    const { nodes } = graphOf(shop)
    const placesOf = (kind: string) =>
      nodes.filter((node) => node.kind === kind).map(({ id: _id, kind: _kind, ...place }) => place)
    expect(placesOf('input')).toEqual([
      { name: 'prices', topic: 'prices', movesTime: false },
      { name: 'orders', topic: 'orders.v2' },
      { name: 'clicks', topic: 'clicks' },
    ])
    expect(placesOf('outlet')).toEqual([
      { name: 'priced', table: 'order_priced' },
      { name: 'told', topic: 'orders.priced' },
      { name: 'pager', destination: 'pager.example' },
      { name: 'raw', isArchive: true },
    ])
  })
})
