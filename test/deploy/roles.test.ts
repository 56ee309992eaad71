import { execFile } from 'node:child_process'
import { resolve } from 'node:path'
import { promisify } from 'node:util'
import pg from 'pg'
import { describe, expect, onTestFinished, test } from 'vitest'
import { openPool } from '../../src/sinks/postgres/connection.ts'
import { migrate } from '../../src/sinks/postgres/migrate.ts'
import { serverPrograms, serverTitle, startOwnServer } from '../support/ownServer.ts'

const script = resolve(import.meta.dirname, '../../scripts/postgres/roles.sh')

describe.skipIf(serverPrograms === null)(serverTitle('the roles of docker-compose.yml'), () => {
  test('one owns and migrates, one reads and writes, one only reads, and none rules the server', {
    timeout: 60_000,
  }, async () => {
    const server = await startOwnServer()
    onTestFinished(() => server.stop())
    const admin = new pg.Client(server.connection)
    await admin.connect()
    await admin.query('CREATE DATABASE millrace')
    await admin.end()
    const { host, port, user, password } = server.connection
    await promisify(execFile)('sh', [script], {
      env: {
        PATH: `${serverPrograms}:${process.env.PATH}`,
        PGHOST: host,
        PGPORT: String(port),
        PGPASSWORD: password,
        POSTGRES_USER: user,
        POSTGRES_DB: 'millrace',
        MILLRACE_OWNER_PASSWORD: "own'er",
        MILLRACE_WORKER_PASSWORD: 'worker',
        MILLRACE_READER_PASSWORD: 'reader',
      },
    })
    const of = (role: string, secret: string) =>
      openPool({ host, port, user: role, password: secret, database: 'millrace' }, { schema: 'simulated' })
    const [owner, worker, reader] = [
      of('millrace_owner', "own'er"),
      of('millrace', 'worker'),
      of('millrace_reader', 'reader'),
    ]
    onTestFinished(async () => {
      await Promise.all([owner.end(), worker.end(), reader.end()])
    })
    for (const schema of ['public', 'simulated']) await migrate(owner, schema)
    expect(await migrate(worker, 'simulated')).toEqual([])
    await worker.query(
      `INSERT INTO stream_task (pipeline, topic, partition, generation, owner, claimed_at) VALUES ('p', 't', 0, 1, 'me', now())`,
    )
    await worker.query(`DELETE FROM public.stream_task`)
    for (const pool of [owner, worker]) {
      await expect(pool.query(`COPY (SELECT 1) TO PROGRAM 'true'`)).rejects.toThrow(
        /permission denied|must be superuser/,
      )
      await expect(pool.query('CREATE ROLE other')).rejects.toThrow(/permission denied/)
    }
    await expect(worker.query('CREATE TABLE other (x integer)')).rejects.toThrow(/permission denied/)
    await expect(worker.query('DROP TABLE stream_task')).rejects.toThrow(/must be owner/)
    expect((await reader.query('SELECT count(*) FROM fact_realtime_trades_5m')).rows).toEqual([{ count: '0' }])
    // Also where somebody takes the default away.
    await reader.query('SET default_transaction_read_only = off')
    await expect(reader.query('DELETE FROM stream_task')).rejects.toThrow(/permission denied/)
  })
})
