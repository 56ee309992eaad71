import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { BinaryRow } from '../../../src/sinks/postgres/binaryRow.ts'
import { copyOut } from '../../../src/sinks/postgres/copyOut.ts'
import { inTurn } from '../../../src/sinks/postgres/inTurn.ts'
import { withClient } from '../../../src/sinks/postgres/withClient.ts'
import { type TestDatabase, testDatabase } from '../../support/postgres.ts'

let db: TestDatabase
beforeAll(async () => {
  db = await testDatabase({ isMigrated: false })
})
afterAll(() => db.close())

describe('a client in turn', () => {
  it('sends statements and copies in the order in which they are asked for, one when the other has ended', async () => {
    const warnings: string[] = []
    const onWarning = ({ message }: Error) => warnings.push(message)
    process.on('warning', onWarning)
    try {
      await withClient(db.pool, 'test', {}, async (connection) => {
        const client = inTurn(connection)
        const done: string[] = []
        const set = (value: string) =>
          client.query(`SELECT set_config('millrace.test', $1, false)`, [value]).then(() => done.push(`set ${value}`))
        const read = async () => {
          const row = new BinaryRow()
          await copyOut(
            client,
            `COPY (SELECT current_setting('millrace.test')) TO STDOUT (FORMAT binary)`,
            (message) => {
              if (!row.load(message)) return
              row.next()
              done.push(`read ${row.bytes.toString('utf8', row.start, row.start + row.length)}`)
            },
          )
        }
        await Promise.all([set('one'), read(), set('two'), read(), set('three')])
        expect(done).toEqual(['set one', 'read one', 'set two', 'read two', 'set three'])
      })
    } finally {
      process.off('warning', onWarning)
    }
    // The driver warns of who asks while it is still at work, and will refuse it one day.
    expect(warnings).toEqual([])
  })

  it('goes on behind a statement that was refused', async () => {
    await withClient(db.pool, 'test', {}, async (connection) => {
      const client = inTurn(connection)
      const [refused, copied, answered] = await Promise.allSettled([
        client.query('SELECT 1 / 0'),
        copyOut(client, 'COPY (SELECT 1 / 0) TO STDOUT', () => undefined),
        client.query('SELECT 1 AS one'),
      ])
      expect([refused.status, copied.status]).toEqual(['rejected', 'rejected'])
      expect(answered).toMatchObject({ value: { rows: [{ one: 1 }] } })
    })
  })
})
