import type { Socket } from 'node:net'
import type pg from 'pg'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { openPool } from '../../../src/sinks/postgres/connection.ts'
import { copyIn } from '../../../src/sinks/postgres/copyIn.ts'
import { together } from '../../../src/sinks/postgres/withClient.ts'
import { type Bouncer, bouncerProgram, bouncerTitle, startBouncer } from '../../support/pgbouncer.ts'
import { type TestDatabase, testDatabase } from '../../support/postgres.ts'

const copy = 'COPY word (id, text) FROM STDIN'
const line = (id: number | string) => `${id}\tword ${id}\n`

/** Chunks of 64 KiB and more, as the packer makes them. */
const many = Array.from({ length: 40 }, (_, chunk) =>
  Buffer.from(Array.from({ length: 5_000 }, (_, row) => line(chunk * 5_000 + row)).join('')),
)

const ways = [
  { way: 'rows that are there already', isBounced: false },
  { way: bouncerTitle('rows that are there already, behind PgBouncer'), isBounced: true },
].filter(({ isBounced }) => !isBounced || bouncerProgram !== null)

describe.each(ways)('$way', ({ isBounced }) => {
  let db: TestDatabase
  let pool: pg.Pool
  let bouncer: Bouncer | undefined

  beforeAll(async () => {
    db = await testDatabase()
    await db.pool.query('CREATE TABLE word (id integer, text text)')
    if (isBounced) bouncer = await startBouncer(db.connection, ['pool_mode = session'])
    const address = bouncer === undefined ? db.connection : { connectionString: bouncer.url() }
    pool = openPool(address, { schema: db.schema, isPipelined: true })
  })
  beforeEach(() => db.pool.query('TRUNCATE word'))
  afterAll(async () => {
    await pool.end()
    await bouncer?.stop()
    await db.close()
  })

  const withClient = async (action: (client: pg.PoolClient) => Promise<void>) => {
    const client = await pool.connect()
    try {
      await action(client)
    } finally {
      client.release()
    }
  }

  const counted = async () => (await db.pool.query('SELECT count(*)::integer AS count FROM word')).rows[0]?.count

  it('go out with the statements around them, before the server has answered any', async () => {
    await withClient(async (client) => {
      const { stream } = (client as unknown as { connection: { stream: Socket } }).connection
      let answers = 0
      stream.on('data', () => {
        answers += 1
      })
      const sent = stream.bytesWritten
      const asking = together(client, () => [
        client.query('BEGIN'),
        copyIn(client, copy, [Buffer.from(line(1)), Buffer.from(line(2))]),
        client.query("INSERT INTO word VALUES (3, 'three')"),
        client.query('COMMIT'),
      ])
      expect(answers).toBe(0)
      expect(stream.bytesWritten - sent).toBeGreaterThan(Buffer.byteLength(copy + line(1) + line(2)) + 40)
      expect(stream.writableCorked).toBe(0)
      await asking
    })
    expect(await counted()).toBe(3)
  })

  it('are all stored, also where they are more than a socket takes at once', async () => {
    await withClient(async (client) => {
      await together(client, () => [client.query('BEGIN'), copyIn(client, copy, many), client.query('COMMIT')])
    })
    expect(await counted()).toBe(200_000)
  })

  it('are read past where a statement before them was refused, whose error is told', async () => {
    await withClient(async (client) => {
      const asking = together(client, () => [
        client.query('BEGIN'),
        client.query('SELECT 1 / 0'),
        copyIn(client, copy, many),
        client.query('COMMIT'),
      ])
      await expect(asking).rejects.toThrow('division by zero')
      await client.query('ROLLBACK')
      expect((await client.query('SELECT 1 AS one')).rows).toEqual([{ one: 1 }])
    })
    expect(await counted()).toBe(0)
  })

  it('store nothing where one of them is refused, and leave the connection to what comes next', async () => {
    await withClient(async (client) => {
      const asking = together(client, () => [
        client.query('BEGIN'),
        copyIn(client, copy, [Buffer.from(line(1)), Buffer.from(line('no number')), ...many]),
        client.query('COMMIT'),
      ])
      await expect(asking).rejects.toThrow('invalid input syntax for type integer')
      await client.query('ROLLBACK')
      expect((await client.query('SELECT 1 AS one')).rows).toEqual([{ one: 1 }])
    })
    expect(await counted()).toBe(0)
  })
})
