import pg from 'pg'
import { expect, test } from 'vitest'
import { DatabaseProbe } from '../../src/host/databaseProbe.ts'

/** Only `query` is used of a pool. */
const poolOf = (query: () => Promise<unknown>) => ({ query }) as unknown as pg.Pool

test('a database that hangs is told after two seconds, and that it answers again', async () => {
  let answer = Promise.withResolvers<unknown>()
  const probe = new DatabaseProbe(poolOf(() => answer.promise))
  probe.ask(10_000)
  probe.ask(11_000)
  expect(probe.waitingFor(11_900)).toBe(null)
  expect(probe.waitingFor(14_000)).toBe('PostgreSQL, no answer for 4 s')
  answer.resolve({ rows: [] })
  await answer.promise
  expect(probe.waitingFor(15_000)).toBe(null)
  answer = Promise.withResolvers()
  probe.ask(16_000)
  expect(probe.waitingFor(19_000)).toBe('PostgreSQL, no answer for 3 s')
})

test('a refusal is an answer', async () => {
  const probe = new DatabaseProbe(poolOf(() => Promise.reject(new Error('away'))))
  probe.ask(0)
  await new Promise(setImmediate)
  expect(probe.waitingFor(9_000)).toBe(null)
})

test('what could not be asked was not answered, in however many attempts; what the server says was', async () => {
  let outcome = Promise.reject<unknown>(new Error('Connection terminated due to connection timeout'))
  const probe = new DatabaseProbe(poolOf(() => outcome))
  for (let now = 0; now < 9_000; now += 3_000) {
    probe.ask(now)
    await new Promise(setImmediate)
  }
  expect(probe.silentMs(9_000)).toBe(9_000)
  outcome = Promise.reject(new pg.DatabaseError('no', 2, 'error'))
  probe.ask(9_000)
  await new Promise(setImmediate)
  expect(probe.silentMs(20_000)).toBe(0)
})
