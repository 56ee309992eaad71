import { setImmediate as nextTurn } from 'node:timers/promises'
import { describe, expect, it, onTestFinished } from 'vitest'
import { openPool } from '../../../src/sinks/postgres/connection.ts'
import { testDatabase } from '../../support/postgres.ts'

describe('openPool', () => {
  it('survives that the server ends a connection which is lent out and idle; its next statement fails', async () => {
    const database = await testDatabase({ isMigrated: false })
    onTestFinished(() => database.close())
    const pool = openPool(database.connection, { schema: database.schema, maxConnections: 2 })
    onTestFinished(() => pool.end())
    const lent = await pool.connect()
    const ended = new Promise((resolve) => lent.once('end', resolve))
    const { rows } = await lent.query<{ pid: number }>('SELECT pg_backend_pid() AS pid')
    await pool.query('SELECT pg_terminate_backend($1)', [rows[0]?.pid])
    await ended
    await nextTurn()
    await expect(lent.query('SELECT 1')).rejects.toThrow()
    lent.release(true)
    expect((await pool.query('SELECT 1 AS one')).rows).toEqual([{ one: 1 }])
  })
})
