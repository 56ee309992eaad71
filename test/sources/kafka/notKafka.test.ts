import { describe, expect, test } from 'vitest'
import { ConfigurationError, RetryableError } from '../../../src/runtime/errors.ts'
import { Silence } from '../../../src/runtime/firstWords.ts'
import { openKafkaAdmin } from '../../../src/sources/kafka/admin.ts'
import { kafkaSettings } from '../../../src/sources/kafka/kafkaSettings.ts'
import { openKafkaLog } from '../../../src/sources/kafka/openKafkaLog.ts'
import { openKafkaWriter } from '../../../src/sources/kafka/producer/openKafkaWriter.ts'
import { type oddBehaviours, oddServer } from '../../support/oddServer.ts'
import { testDatabase } from '../../support/postgres.ts'

const place = { topic: 't', group: 'g' }
const settingsOf = (port: number, client: 'wire' | 'kafkajs' = 'wire') =>
  kafkaSettings({ brokers: [`127.0.0.1:${port}`], client, connectTimeoutMs: 400, requestTimeoutMs: 800 })

const opens: readonly (readonly [string, (port: number) => Promise<unknown>])[] = [
  ['the administrator', (port) => openKafkaAdmin(settingsOf(port))],
  ['a reader', (port) => openKafkaLog(settingsOf(port), place)],
  ['a reader by kafkajs', (port) => openKafkaLog(settingsOf(port, 'kafkajs'), place)],
  ['a writer', (port) => openKafkaWriter(settingsOf(port), { topic: 't' })],
]

async function refusal(opening: Promise<unknown>): Promise<Error> {
  return opening.then(
    () => Promise.reject(new Error('it was opened')),
    (error: Error) => error,
  )
}

describe.each(opens)('%s of Kafka, at a server that', { timeout: 20_000 }, (_, open) => {
  test.each<[keyof typeof oddBehaviours, string]>([
    ['speaks HTTP', 'it answers as a server of HTTP does'],
    ['greets as a mail server', 'it answers as a mail server does'],
    ['answers zeros', 'it answers bytes 0000000000000000'],
    ['answers a length of 2 GB', 'it answers bytes 7fffffff00000001'],
    ['answers HTTP that never ends', 'it answers as a server of HTTP does'],
  ])('%s is told that it is none', async (behaviour, said) => {
    const port = await oddServer(behaviour)
    const error = await refusal(open(port))
    expect(error).toBeInstanceOf(ConfigurationError)
    expect(error.message).toContain(`127.0.0.1:${port} is no broker of Kafka: ${said}. Name a listener of a broker`)
  })

  test('is silent is told so, and it may pass', async () => {
    const port = await oddServer('silent')
    const error = await refusal(open(port))
    expect(error).toBeInstanceOf(RetryableError)
    expect(error.message).toContain(`127.0.0.1:${port} takes connections and says nothing`)
    expect(error.cause).toBeInstanceOf(Silence)
  })

  test('closes at once may be one that starts', async () => {
    const error = await refusal(open(await oddServer('closes at once')))
    expect(error).toBeInstanceOf(RetryableError)
    expect(error.cause).not.toBeInstanceOf(Silence)
  })
})

test('a port of PostgreSQL is known for what it is', { timeout: 60_000 }, async () => {
  const db = await testDatabase()
  const { host, port } = db.connection
  for (const [, open] of host === '127.0.0.1' ? opens : []) {
    const error = await refusal(open(port))
    expect(error).toBeInstanceOf(ConfigurationError)
    expect(error.message).toContain('is no broker of Kafka: it answers as PostgreSQL does')
  }
  await db.close()
})
