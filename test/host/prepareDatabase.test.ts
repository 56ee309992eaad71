import { describe, expect, test } from 'vitest'
import { prepareDatabase } from '../../src/host/prepareDatabase.ts'
import { ConfigurationError, RetryableError } from '../../src/runtime/errors.ts'
import { Silence } from '../../src/runtime/firstWords.ts'
import { type oddBehaviours, oddServer } from '../support/oddServer.ts'

async function refusal(port: number): Promise<Error> {
  const connectionString = `postgres://user:password@127.0.0.1:${port}/database?connect_timeout=1`
  return prepareDatabase({ connectionString }, 'public').then(
    () => Promise.reject(new Error('it was prepared')),
    (error: Error) => error,
  )
}

describe('a database at a server that', { timeout: 20_000 }, () => {
  test.each<[keyof typeof oddBehaviours, string]>([
    ['speaks HTTP', 'it answers as a server of HTTP does'],
    ['greets as a mail server', 'it answers as a mail server does'],
    ['answers zeros', 'it answers bytes 0000000000000000'],
    ['answers a length of 2 GB', 'it answers bytes 7fffffff00000001'],
    ['answers HTTP that never ends', 'it answers as a server of HTTP does'],
  ])('%s is told that it is no PostgreSQL', async (behaviour, said) => {
    const port = await oddServer(behaviour)
    const error = await refusal(port)
    expect(error).toBeInstanceOf(ConfigurationError)
    expect(error.message).toBe(
      `what listens at 127.0.0.1:${port} is no PostgreSQL: ${said}. Correct host and port in DATABASE_URL`,
    )
  })

  test('is silent is told so, and it may pass', async () => {
    const error = await refusal(await oddServer('silent'))
    expect(error).toBeInstanceOf(RetryableError)
    expect(error.message).toMatch(/^127\.0\.0\.1:\d+ takes connections and says nothing/)
    expect(error.cause).toBeInstanceOf(Silence)
  })

  test('closes at once may be one that starts', async () => {
    const error = await refusal(await oddServer('closes at once'))
    expect(error).toBeInstanceOf(RetryableError)
    expect(error.cause).not.toBeInstanceOf(Silence)
  })
})
