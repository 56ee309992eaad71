import type { Socket } from 'node:net'
import type pg from 'pg'
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { openPool } from '../../../src/sinks/postgres/connection.ts'
import { execute, type Parameter } from '../../../src/sinks/postgres/execute.ts'
import { runTransaction } from '../../../src/sinks/postgres/runSteps.ts'
import { run, toRun } from '../../../src/sinks/postgres/statement.ts'
import { type Bouncer, bouncerProgram, bouncerTitle, startBouncer } from '../../support/pgbouncer.ts'
import { type TestDatabase, testDatabase } from '../../support/postgres.ts'

const put = (id: number, text: Parameter) => toRun('INSERT INTO word (id, text) VALUES ($1, $2)', [id, text])
const double = toRun('UPDATE word SET text = text || text', [])

const ways = [
  { way: 'statements that are executed', isBounced: false },
  { way: bouncerTitle('statements that are executed, behind PgBouncer'), isBounced: true },
].filter(({ isBounced }) => !isBounced || bouncerProgram !== null)

describe.each(ways)('$way', ({ isBounced }) => {
  let db: TestDatabase
  let pool: pg.Pool
  let bouncer: Bouncer | undefined

  beforeAll(async () => {
    db = await testDatabase()
    await db.pool.query('CREATE TABLE word (id integer PRIMARY KEY, text text)')
    if (isBounced) bouncer = await startBouncer(db.connection, ['pool_mode = session'])
    const address = bouncer === undefined ? db.connection : { connectionString: bouncer.url() }
    pool = openPool(address, { schema: db.schema, isPipelined: true, maxConnections: 1 })
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

  const streamOf = (client: pg.ClientBase) =>
    (client as unknown as { readonly connection: { readonly stream: Socket } }).connection.stream

  const words = async () => (await db.pool.query('SELECT id, text FROM word ORDER BY id')).rows

  it('see what those before them have done, and parameters of all kinds come as they are', async () => {
    await withClient(async (client) => {
      await execute(client, [put(1, 'Ærø 🚲 "\'\\'), put(2, null), put(3, ''), put(4, true), put(5, -0.5), double])
      expect(await words()).toEqual([
        { id: 1, text: 'Ærø 🚲 "\'\\Ærø 🚲 "\'\\' },
        { id: 2, text: null },
        { id: 3, text: '' },
        { id: 4, text: 'truetrue' },
        { id: 5, text: '-0.5-0.5' },
      ])
    })
  })

  it('are one piece to send, with the text of each once a connection, and one answer', async () => {
    await withClient(async (client) => {
      const stream = streamOf(client)
      await execute(client, [put(1, 'a'), double])
      const pieces: string[] = []
      const answers: string[] = []
      const listen = (bytes: Buffer) => answers.push(bytes.toString('latin1'))
      const write = stream.write.bind(stream) as (bytes: Uint8Array) => boolean
      stream.write = (bytes: Uint8Array | string) => {
        pieces.push(Buffer.from(bytes as Uint8Array).toString('latin1'))
        return write(bytes as Uint8Array)
      }
      stream.on('data', listen)
      await execute(client, [put(2, 'b'), double, put(3, 'c')])
      stream.off('data', listen)
      Reflect.deleteProperty(stream, 'write')
      expect(pieces).toHaveLength(1)
      expect(pieces[0]).not.toContain('INSERT')
      // ReadyForQuery, outside of a transaction.
      expect(answers.join('').split('Z\0\0\0\x05I')).toHaveLength(2)
      expect(await words()).toHaveLength(3)
    })
  })

  it('begin nothing while the few bytes that run them have not come', async () => {
    await withClient(async (client) => {
      await execute(client, [put(1, 'a'), double])
      const stream = streamOf(client)
      const write = stream.write.bind(stream) as (bytes: Uint8Array) => boolean
      const held: Uint8Array[] = []
      stream.write = (bytes: Uint8Array | string) => {
        const piece = bytes as Uint8Array
        const runs = 50
        held.push(piece.subarray(piece.length - runs))
        return write(piece.subarray(0, piece.length - runs))
      }
      const executing = execute(client, [double, put(2, 'x'.repeat(100_000)), put(3, 'c'), double])
      Reflect.deleteProperty(stream, 'write')
      await new Promise((resolve) => setTimeout(resolve, 200))
      await db.pool.query('SELECT FROM word WHERE id = 1 FOR UPDATE NOWAIT')
      for (const bytes of held) write(bytes)
      await executing
      expect(await words()).toMatchObject([{ text: 'aaaaaaaa' }, {}, { text: 'cc' }])
    })
  })

  it('do nothing where one fails, say what failed first, and leave the connection as it was', async () => {
    await withClient(async (client) => {
      const unknown = toRun('INSERT INTO nothing VALUES ($1)', [1])
      await expect(execute(client, [put(1, 'a'), put(1, 'b'), put(2, 'c')])).rejects.toMatchObject({ code: '23505' })
      await expect(execute(client, [put(1, 'a'), unknown])).rejects.toMatchObject({ code: '42P01' })
      await expect(execute(client, [toRun('UPDATE word SET text = $1', ['\0'])])).rejects.toMatchObject({
        code: '22021',
      })
      expect(await words()).toEqual([])
      await execute(client, [put(1, 'a')])
      await db.pool.query('CREATE TABLE nothing (id integer)')
      await execute(client, [unknown, put(2, 'b')])
      expect(await words()).toHaveLength(2)
      await db.pool.query('DROP TABLE nothing')
    })
  })

  it('ask nothing of the connection where they cannot be written down', async () => {
    await withClient(async (client) => {
      const query = vi.spyOn(client, 'query')
      const parameters = Array.from({ length: 65_536 }, () => 1)
      await expect(execute(client, [put(1, 'a'), toRun('SELECT 1', parameters)])).rejects.toThrow(RangeError)
      expect(query).not.toHaveBeenCalled()
      query.mockRestore()
      await execute(client, [put(1, 'a')])
      expect(await words()).toHaveLength(1)
    })
  })

  it('are steps of a transaction, be it one of statements or one with COPY', async () => {
    await withClient(async (client) => {
      const copied = [Buffer.from('7\tseven\n')]
      const copy = { bytes: 8, copy: 'COPY word (id, text) FROM STDIN', chunks: copied }
      await runTransaction(client, [run(put(1, 'a').text, [1, 'a']), run(double.text, [])])
      await runTransaction(client, [run(put(2, 'b').text, [2, 'b']), copy, run(double.text, [])])
      const broken = [run(put(3, 'c').text, [3, 'c']), copy, run(double.text, [])]
      await expect(runTransaction(client, broken)).rejects.toMatchObject({ code: '23505' })
      await client.query('ROLLBACK')
      expect(await words()).toEqual([
        { id: 1, text: 'aaaa' },
        { id: 2, text: 'bb' },
        { id: 7, text: 'sevenseven' },
      ])
    })
  })

  it('are prepared again after a transaction that prepared them, and let them go behind the one that failed', async () => {
    await withClient(async (client) => {
      const step = (id: number) => run('INSERT INTO word (text, id) VALUES ($2, $1)', [id, 'a'])
      const copy = { bytes: 8, copy: 'COPY word (id, text) FROM STDIN', chunks: [Buffer.from('7\tseven\n')] }
      await expect(runTransaction(client, [copy, step(1), step(1), step(2)])).rejects.toMatchObject({ code: '23505' })
      await client.query('ROLLBACK')
      await runTransaction(client, [step(3)])
      expect(await words()).toEqual([{ id: 3, text: 'a' }])
    })
  })
})
