import { map, type Observable } from 'rxjs'
import { describe, expect, it } from 'vitest'
import { textCodec } from '../../src/codecs/textCodec.ts'
import { lookup } from '../../src/operators/lookup.ts'
import { mapAsync } from '../../src/operators/mapAsync.ts'
import { ConfigurationError } from '../../src/runtime/errors.ts'
import type { OutgoingRecord } from '../../src/runtime/log/log.ts'
import { definePipeline } from '../../src/runtime/pipeline/pipeline.ts'
import type { UpsertTable } from '../../src/runtime/store/table.ts'
import { storeRanges } from '../../src/sinks/postgres/skippedRanges.ts'
import { toArchive } from '../../src/sinks/toArchive.ts'
import { toDestination } from '../../src/sinks/toDestination.ts'
import { toPostgres } from '../../src/sinks/toPostgres.ts'
import { Random } from '../../src/testing/random.ts'
import type { VerifiedPipeline } from '../../src/verify/verifyPipeline.ts'
import { begin, drawPlan, drawRecords, type OwnPlan, ownWorld } from './ownPipelines.ts'
import { plantDifferences, said } from './plantedDifferences.ts'

const minute = 60_000
const seeds = Number(process.env.VERIFY_SEEDS ?? 4)
const firstSeed = Number(process.env.VERIFY_FIRST_SEED ?? 1)

type World = Awaited<ReturnType<typeof ownWorld>>

/** Runs the plan live, in three runs that each end somewhere. */
async function runLive(world: World, plan: OwnPlan, random: Random, count: number): Promise<void> {
  const all = Array.from({ length: plan.inputs }, () => drawRecords(random, plan.partitions, count))
  const cuts = [0, random.int(1, count / 2), random.int(count / 2, count - 1), count]
  for (let i = 0; i < 3; i += 1) {
    const part: readonly (readonly OutgoingRecord[])[] = all.map((records) => records.slice(cuts[i], cuts[i + 1]))
    await world.live(part, i === 2 && random.fraction() < 0.5 ? 'drain-and-close' : 'drain')
  }
}

const rowsOf = ({ tables }: VerifiedPipeline) =>
  Object.fromEntries(tables.map((one) => [one.table, 'compared' in one ? one.compared : one.leftOut]))

describe("a verification of a user's own pipeline", { timeout: 240_000 }, () => {
  it.each(Array.from({ length: seeds }, (_, i) => firstSeed + i))(
    'finds nothing in what live wrote, and each of twenty planted differences and nothing else, whole and of a range (seed %i)',
    async (seed) => {
      const random = new Random(seed)
      const plan = drawPlan(random)
      const world = await ownWorld(plan)
      try {
        await runLive(world, plan, random, 300)
        const range = { from: begin + 7 * minute, to: begin + 15 * minute }
        const whole = await world.verified()
        expect(whole.differences).toEqual([])
        expect(whole.deadLetters).toBeGreaterThan(5)
        for (const [table, compared] of Object.entries(rowsOf(whole))) {
          const { rows } = await world.pool.query<{ n: number }>(`SELECT count(*)::integer AS n FROM "${table}"`)
          expect(compared, table).toBe(rows[0]?.n)
          expect(compared, table).toBeGreaterThan(0)
        }
        const part = await world.verified(range)
        expect(part.differences).toEqual([])
        expect(part.records).toBeLessThanOrEqual(whole.records)

        const planted = await plantDifferences(world.pool, random, world.ends.tables, 20)
        const found = (await world.verified()).differences.map(said).sort()
        expect(found).toEqual(planted.map((one) => one.said).sort())
        const ofRange = (await world.verified(range)).differences.filter(({ table }) => table !== 'dead_letter')
        const isIn = ({ time }: { readonly time: number | null }) =>
          time !== null && time >= range.from && time < range.to
        expect(ofRange.map(said).sort()).toEqual(
          planted
            .filter(isIn)
            .map((one) => one.said)
            .sort(),
        )
      } finally {
        await world.close()
      }
    },
  )

  const onePlan: OwnPlan = { inputs: 1, partitions: 1, windowMs: minute, latenessMs: 0, outlets: ['seen', 'minutes'] }

  it('begins earlier where rows depend on what was long before the range', async () => {
    const world = await ownWorld({ ...onePlan, outlets: ['seen'] })
    try {
      const records = drawRecords(new Random(5), 1, 900)
      await world.live([records])
      const to = (records.at(-1)?.timestamp ?? 0) + 1
      const found = await world.verified({ from: to - minute, to })
      expect(found).toMatchObject({ differences: [], readFrom: null, records: 900 })
      expect(rowsOf(found).seen).toBeGreaterThan(0)
    } finally {
      await world.close()
    }
  })

  it('reads no more than it has to of a range whose rows depend on nothing before', async () => {
    const world = await ownWorld({ ...onePlan, outlets: ['minutes'] })
    try {
      await world.live([drawRecords(new Random(6), 1, 1_500)])
      const found = await world.verified({ from: begin + 60 * minute, to: begin + 63 * minute })
      expect(found.differences).toEqual([])
      expect(found.readFrom).toBe(begin + 45 * minute)
      expect(found.records).toBeLessThan(500)
      expect(rowsOf(found).minutes).toBeGreaterThan(10)
    } finally {
      await world.close()
    }
  })

  it('says which tables it cannot compare in a range, and that the archive begins inside', async () => {
    const world = await ownWorld({ ...onePlan, outlets: ['totals', 'minutes'] })
    try {
      await world.live([drawRecords(new Random(7), 1, 400)])
      const part = await world.verified({ from: begin, to: begin + 10 * minute })
      expect(rowsOf(part).totals).toContain('have no time')
      await world.pool.query('DELETE FROM archive_object WHERE first_offset = 0')
      const found = await world.verified()
      expect(found.differences.length).toBeGreaterThan(0)
      expect(found.doubts.join()).toMatch(/The archive begins at offset \d+ of web\/0/)
    } finally {
      await world.close()
    }
  })

  it('is refused as a whole while live is ahead of its archive, and takes a range that is over', async () => {
    const world = await ownWorld({ ...onePlan, outlets: ['minutes'] })
    try {
      await world.live([drawRecords(new Random(8), 1, 390)], 'drain')
      await world.pool.query('UPDATE stream_task SET archive_next_offset = 380')
      await expect(world.verified()).rejects.toThrow(/web\/0 that are not archived yet.*millrace stop/s)
      const range = { from: begin + 2 * minute, to: begin + 9 * minute }
      expect(await world.verified(range)).toMatchObject({ differences: [], doubts: [] })
      await world.pool.query(`DELETE FROM minutes WHERE start = to_timestamp(${begin / 1_000 + 300})`)
      const found = await world.verified(range)
      expect(found.differences.every(({ kind }) => kind === 'missing')).toBe(true)
      expect(found.doubts.join()).toContain('web/0 were processed that are not archived yet')
    } finally {
      await world.close()
    }
  })

  it('reads all of an archive that goes on growing once, and says that it has grown', async () => {
    const world = await ownWorld({ ...onePlan, outlets: ['minutes'] })
    try {
      const records = drawRecords(new Random(12), 1, 300)
      await world.live([records.slice(0, 200)])
      await world.pool.query('UPDATE minutes SET sum = sum + 1 WHERE start = (SELECT min(start) FROM minutes)')
      const get = world.store.get.bind(world.store)
      const [last] = [...world.store.objects.keys()].sort().slice(-1)
      let added = 0
      world.store.get = async (key) => {
        // Whoever reads to the end is overtaken, each time.
        if (key === last && added < 40) await world.live([records.slice(200 + added, 200 + ++added)])
        return get(key)
      }
      const found = await world.verified({ from: begin - 10 * minute, to: begin + 2 * minute })
      expect(found.differences.length).toBeGreaterThan(0)
      expect(found.doubts.join()).toContain('web/0 were processed that are not archived yet, or were not when')
      expect(added).toBeLessThan(4)
      added = 0
      await expect(world.verified()).rejects.toThrow(/web\/0 that are not archived yet, or were not when/)
    } finally {
      await world.close()
    }
  })

  it('has read all of an archive whose last records are left out, or lie behind a gap of the log', async () => {
    const world = await ownWorld({ ...onePlan, outlets: ['minutes'] })
    try {
      const records = drawRecords(new Random(13), 1, 100)
      await world.live([records.slice(0, 60)])
      await world.pool.query(
        `INSERT INTO skipped_range (pipeline, topic, partition, input_topic, input_partition, from_offset, to_offset, kind, decided_by, reason)
         VALUES ('own', 'web', 0, 'web', 0, 95, 100, 'skip', 'somebody', 'broken')`,
      )
      await world.live([records.slice(60)])
      await world.pool.query('UPDATE stream_task SET next_offset = 103, archive_next_offset = 103')
      expect((await world.verified()).differences).toEqual([])
      await world.pool.query('UPDATE minutes SET sum = sum + 1 WHERE start = (SELECT min(start) FROM minutes)')
      const found = await world.verified({ from: begin - 10 * minute, to: begin + 2 * minute })
      expect(found.differences.length).toBeGreaterThan(0)
      expect(found.doubts).toEqual([])
    } finally {
      await world.close()
    }
  })

  it('leaves rows to other pipelines that write the table too, and counts them', async () => {
    const world = await ownWorld({ ...onePlan, outlets: ['minutes'] })
    try {
      await world.live([drawRecords(new Random(9), 1, 200)])
      await world.pool.query(`INSERT INTO row_writer VALUES ('minutes', 'own', 'web'), ('minutes', 'other', 'app')`)
      await world.pool.query(
        `WITH other AS (INSERT INTO row_owner (pipeline, topic, partition) VALUES ('other', 'app', 0) RETURNING id),
           given AS (UPDATE minutes SET row_owner = other.id FROM other WHERE minutes.ctid IN (SELECT ctid FROM minutes ORDER BY start LIMIT 2))
         INSERT INTO minutes SELECT 'theirs', start, sum, count, revision, other.id FROM minutes, other ORDER BY start OFFSET 5 LIMIT 1`,
      )
      const found = await world.verified()
      expect(found.differences).toEqual([])
      expect(found.tables[0]).toMatchObject({ table: 'minutes', elsewhere: 3 })
    } finally {
      await world.close()
    }
  })

  it('does not say whose a row is that two partitions have made', async () => {
    const world = await ownWorld({ ...onePlan, partitions: 2, outlets: ['minutes'] })
    try {
      const records = drawRecords(new Random(10), 1, 200).map((one, i) => ({ ...one, partition: i % 2 }))
      await world.live([records])
      const found = await world.verified()
      const table = found.tables[0]
      expect(found.differences).toEqual([])
      expect(table !== undefined && 'elsewhere' in table && table.elsewhere).toBeGreaterThan(3)
      const { rows } = await world.pool.query(`SELECT FROM dead_letter WHERE reason = 'key-elsewhere'`)
      expect(rows.length).toBeGreaterThan(0)
    } finally {
      await world.close()
    }
  })

  interface Answered {
    readonly id: string
    readonly answer: string
  }
  const answers: UpsertTable<Answered> = {
    mode: 'upsert',
    name: 'answers',
    key: ['id'],
    revision: 'revision',
    columns: [
      { name: 'id', type: 'text', of: ({ id }) => id },
      { name: 'answer', type: 'text', of: ({ answer }) => answer },
      { name: 'revision', type: 'integer', of: () => 1 },
    ],
  }
  const lines = Array.from({ length: 20 }, (_, i) => ({
    partition: 0,
    key: null,
    timestamp: begin + i,
    value: Buffer.from(`l${i}`),
  }))
  const answering = (ask: (lines: Observable<string>) => Observable<Answered>, isArchived = true) =>
    definePipeline({
      name: 'answering',
      inputs: { web: { topic: 'web', codec: textCodec() } },
      build: ({ web }) => ({
        rows: toPostgres(ask(web), answers),
        ...(isArchived ? { raw: toArchive(web) } : {}),
      }),
    })

  it('takes recorded answers, and asks nobody', async () => {
    let asked = 0
    const pipeline = answering(
      lookup({
        name: 'ask',
        by: (line) => line,
        get: async (line) => `${line} ${++asked}`,
        with: (id, answer) => ({ id, answer: answer ?? '' }),
        concurrency: 1,
        record: true,
      }),
    )
    const world = await ownWorld(onePlan, pipeline)
    try {
      await world.live([lines])
      expect(asked).toBe(20)
      expect(await world.verified()).toMatchObject({ differences: [], tables: [{ compared: 20 }] })
      expect(asked).toBe(20)
      await world.pool.query(`UPDATE answers SET answer = 'other' WHERE id = 'l3'`)
      const found = await world.verified()
      expect(found.differences.map(said)).toEqual(['differs answers id l3 answer'])
      expect(found.doubts.join()).toContain('What ask was answered is taken from lookup_answer')
    } finally {
      await world.close()
    }
  })

  it('opens no destination, and has the dead letters of what is sent there', async () => {
    let opened = 0
    const pipeline = definePipeline({
      name: 'sending',
      inputs: { web: { topic: 'web', codec: textCodec() } },
      build: ({ web }) => ({
        raw: toArchive(web),
        rows: toPostgres(web.pipe(map((id) => ({ id, answer: '' }))), answers),
        sent: toDestination(web, {
          name: 'somewhere',
          open: () => {
            opened += 1
            return { claim: async () => null, send: async () => {}, close: async () => {} }
          },
          encode: (line) => {
            if (line === 'l7') throw new RangeError('not this one')
            return { time: begin, key: null, value: Buffer.from(line) }
          },
        }),
      }),
    })
    const world = await ownWorld(onePlan, pipeline)
    try {
      await world.live([lines])
      expect(opened).toBe(1)
      expect(await world.verified()).toMatchObject({ differences: [], deadLetters: 1, tables: [{ compared: 20 }] })
      expect(opened).toBe(1)
    } finally {
      await world.close()
    }
  })

  it('leaves out letters of records that the log has lost, and counts them', async () => {
    const failing = map((id: string) => {
      if (id === 'l3' || id === 'l17') throw new RangeError('not this one')
      return { id, answer: '' }
    })
    const world = await ownWorld(onePlan, answering(failing))
    const client = await world.pool.connect()
    try {
      await world.live([lines.slice(0, 10)])
      await world.live([lines.slice(10)])
      // As if the log had lost its end before that was archived.
      await client.query('DELETE FROM archive_object WHERE first_offset >= 10')
      await storeRanges(client, [
        {
          ...{ pipeline: 'answering', topic: 'web', partition: 0, inputTopic: 'web', inputPartition: 0 },
          ...{ fromOffset: 10, toOffset: 20, kind: 'rewind', decidedBy: 'somebody', reason: 'a disk is gone' },
        },
      ])
      await world.live([[]])
      expect(await world.verified()).toMatchObject({
        differences: [],
        deadLetters: 2,
        rewoundLetters: 1,
        tables: [{ compared: 18 }],
      })
      await client.query(`UPDATE answers SET answer = 'other' WHERE id = 'l11'`)
      expect((await world.verified()).doubts.join()).toContain('has lost its end from offset 10 of web/0 on')
    } finally {
      client.release()
      await world.close()
    }
  })

  it('sets aside what was too large for the live run, and nothing else', async () => {
    const named = map((id: string) => ({ id, answer: '' }))
    const long = { partition: 0, key: null, timestamp: begin + 20, value: Buffer.from('l'.repeat(2_000)) }
    for (const [limits, deadLetters] of [[{ maxRecordBytes: 1_024 }, 1] as const, [{}, 0] as const]) {
      const world = await ownWorld(onePlan, answering(named), limits)
      try {
        await world.live([[...lines, long]])
        const compared = 21 - deadLetters
        expect(await world.verified()).toMatchObject({ differences: [], deadLetters, tables: [{ compared }] })
      } finally {
        await world.close()
      }
    }
  })

  it('is refused where answers are not kept, where an input is not archived, and where nothing was', async () => {
    const named = map((id: string) => ({ id, answer: '' }))
    const unrecorded = await ownWorld(
      onePlan,
      answering(mapAsync(async (id) => ({ id, answer: id }), { name: 'call', concurrency: 2 })),
    )
    const unarchived = await ownWorld(onePlan, answering(named, false))
    const empty = await ownWorld(onePlan, answering(named))
    try {
      await expect(unrecorded.verified()).rejects.toThrow(/asks somebody outside in call and keeps no answers/)
      await expect(unarchived.verified()).rejects.toThrow(/does not archive web \(topic web\)/)
      await expect(empty.verified()).rejects.toThrow(ConfigurationError)
    } finally {
      for (const world of [unrecorded, unarchived, empty]) await world.close()
    }
  })
})
