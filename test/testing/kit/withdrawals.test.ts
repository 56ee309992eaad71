import { share } from 'rxjs'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { jsonCodec } from '../../../src/codecs/jsonCodec.ts'
import { orNull } from '../../../src/codecs/orNull.ts'
import { textCodec } from '../../../src/codecs/textCodec.ts'
import { topic } from '../../../src/codecs/topic.ts'
import { aggregateWindow } from '../../../src/operators/aggregateWindow.ts'
import { batchFlush } from '../../../src/operators/batchFlush.ts'
import { decode } from '../../../src/operators/decode.ts'
import { eventTime } from '../../../src/operators/eventTime.ts'
import { sessionWindow } from '../../../src/operators/sessionWindow.ts'
import { definePipeline } from '../../../src/runtime/pipeline/pipeline.ts'
import { Withdrawn } from '../../../src/runtime/withdrawn.ts'
import { table } from '../../../src/sinks/table.ts'
import { toDestination } from '../../../src/sinks/toDestination.ts'
import { toPostgres } from '../../../src/sinks/toPostgres.ts'
import { toTopic } from '../../../src/sinks/toTopic.ts'
import { toWebhook } from '../../../src/sinks/toWebhook.ts'
import { testPipeline } from '../../../src/testing/kit/testPipeline.ts'

const Click = z.object({ user: z.string(), at: z.int() })
const Visit = z.object({ id: z.string(), pages: z.int(), revision: z.int() })
const visits = topic('visits', { key: textCodec(), value: orNull(jsonCodec(Visit)) })
const columns = { id: 'text', pages: 'integer', revision: 'integer' } as const
const visit = table('visit', { columns, key: ['id'], revision: 'revision' })
const visitLog = table('visit_log', { columns })

/** One row a visit, in a table, in batches in another, in one that is only added to, in a topic, a webhook and a destination. */
const pipeline = definePipeline({
  name: 'visits',
  build: (records) => {
    const made = records.pipe(
      decode(jsonCodec(Click)),
      eventTime({ of: ({ at }) => at, maxOutOfOrdernessMs: 0 }),
      sessionWindow({ name: 'visit', gapMs: 10, allowedLatenessMs: 1_000, by: ({ user }) => user }),
      aggregateWindow({
        initial: () => 0,
        add: (pages) => pages + 1,
        merge: (a, b) => a + b,
        result: (pages, { id }, { revision }) => ({ id, pages, revision }),
        withdraws: true,
      }),
      share(),
    )
    return {
      visit: toPostgres(made, visit),
      batched: toPostgres(made.pipe(batchFlush({ maxCount: 3 })), { ...visit, name: 'batched' }),
      added: toPostgres(made, visitLog),
      topic: toTopic(made, { topic: visits, by: ({ id }) => id, at: () => 0 }),
      webhook: toWebhook(made, { url: 'http://127.0.0.1/', body: ({ id }) => id }),
      own: toDestination(made, {
        name: 'own',
        encode: (one) => ({
          time: 0,
          key: Buffer.from(one instanceof Withdrawn ? `gone ${one.row.id}` : one.id),
          value: null,
        }),
        open: () => ({ claim: async () => null, send: async () => {}, close: async () => {} }),
      }),
    }
  },
})

describe('what a pipeline takes back', () => {
  it('is gone from its tables, a tombstone in its topics, and told to everybody else', () => {
    const run = testPipeline(pipeline, { crashAt: [2, 4], restoreEvery: 2 })
    const click = (at: number, user = 'ann') => ({ user, at })
    run.pushValues(click(20), click(100, 'bob'), click(15), click(40), click(25), click(32), click(200, 'bob'))
    run.closeOpen()
    const left = [
      { id: 'ann@15', pages: 5, revision: 4 },
      { id: 'bob@100', pages: 1, revision: 1 },
      { id: 'bob@200', pages: 1, revision: 1 },
    ]
    const byId = (rows: readonly { id: string }[]) => rows.toSorted((a, b) => (a.id < b.id ? -1 : 1))
    expect(byId(run.rows('visit'))).toEqual(left)
    expect(byId(run.rows('batched'))).toEqual(left)
    expect(run.rows('added').map(({ id, revision }) => `${id} ${revision}`)).toEqual([
      'ann@20 1',
      'ann@15 2',
      'ann@40 1',
      'ann@15 3',
      'ann@15 4',
      'bob@100 1',
      'bob@200 1',
    ])
    expect(run.messages('topic').map(({ key, decoded }) => [String(key), decoded?.revision ?? null])).toEqual([
      ['ann@20', 1],
      ['ann@20', null],
      ['ann@15', 2],
      ['ann@40', 1],
      ['ann@15', 3],
      ['ann@40', null],
      ['ann@15', 4],
      ['bob@100', 1],
      ['bob@200', 1],
    ])
    expect(
      run
        .messages('webhook')
        .map(({ value }) => String(value))
        .slice(0, 3),
    ).toEqual(['"ann@20"', '{"withdrawn":"ann@20"}', '"ann@15"'])
    expect(
      run
        .messages('own')
        .filter(({ key }) => String(key).startsWith('gone'))
        .map(({ key }) => String(key)),
    ).toEqual(['gone ann@20', 'gone ann@40'])
    expect(
      run.deadLetters().map(({ operator, reason, detail }) => [operator, reason, /only added to/.test(detail)]),
    ).toEqual([
      ['outlet added', 'bad-row', true],
      ['outlet added', 'bad-row', true],
    ])
    run.finish()
  })
})
