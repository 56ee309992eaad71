import kafkajs from 'kafkajs'
import { describe, expect, test } from 'vitest'
import { ConfigurationError, RetryableError } from '../../../../src/runtime/errors.ts'
import { adminTrouble } from '../../../../src/sources/kafka/kafkajs/adminTrouble.ts'
import { Cluster, silentLogger } from '../../../../src/sources/kafka/kafkajs/internals.ts'

function protocolError(type: string, message = 'said so'): Error {
  return new kafkajs.KafkaJSProtocolError({ type, code: 1, message, retriable: false } as never)
}

/** As the admin of kafkajs reads what its cluster gives. */
async function topicsOf(cluster: { metadata(): Promise<unknown> }): Promise<unknown> {
  const metadata = (await cluster.metadata()) as { topicMetadata: unknown }
  return metadata.topicMetadata
}

describe('adminTrouble', () => {
  test('metadata that no broker gives is waited for, in words that say so', async () => {
    const cluster = new Cluster({ brokers: ['127.0.0.1:1'], logger: silentLogger, retry: { retries: 0 } } as never)
    const { brokerPool } = cluster as unknown as { brokerPool: Record<string, unknown> }
    // A broker that is connected and fails every question, as one does that is starting or has just died.
    brokerPool.refreshMetadataIfNecessary = async () => undefined
    brokerPool.brokers = { 0: {} }
    brokerPool.findBroker = async () => ({
      metadata: () => Promise.reject(protocolError('LEADER_NOT_AVAILABLE')),
    })
    const cause = await topicsOf(cluster as never).catch((error: unknown) => error)
    expect(String(cause)).toContain("Cannot read properties of null (reading 'topicMetadata')")
    const error = adminTrouble(cause, 'describe topic trades at here:1', true)
    expect(error).toBeInstanceOf(RetryableError)
    expect(error.message).toBe(
      'Kafka: could not describe topic trades at here:1: no broker gave its metadata; they have just started, are electing leaders, or the connection broke. It is tried again.',
    )
    expect(error.cause).toBe(cause)
  })

  test('the other way in which kafkajs reads it is the same', () => {
    const nothing = null as unknown as { topicMetadata: unknown }
    let cause: unknown
    try {
      const { topicMetadata } = nothing
      expect(topicMetadata).toBe('not reached')
    } catch (error) {
      cause = error
    }
    expect(adminTrouble(cause, 'list topics', true)).toBeInstanceOf(RetryableError)
  })

  test.each(['INVALID_TOPIC_EXCEPTION', 'INVALID_PARTITIONS', 'INVALID_CONFIG', 'POLICY_VIOLATION'])(
    '%s is for a person, also where it is one of several errors',
    (type) => {
      const one = protocolError(type)
      const several = Object.assign(new Error('Topic creation errors'), { errors: [one] })
      for (const cause of [one, several]) {
        const error = adminTrouble(cause, 'make topic trades', true)
        expect(error).toBeInstanceOf(ConfigurationError)
        expect(error.message).toContain(`said so (${type})`)
      }
    },
  )

  test('a right that is missing is for a person, on an accepted connection too', () => {
    const error = adminTrouble(protocolError('TOPIC_AUTHORIZATION_FAILED'), 'describe topic trades', true)
    expect(error).toBeInstanceOf(ConfigurationError)
    expect(error.message).toContain('Grant the right')
  })

  test('too few brokers for the replicas is waited for, and said', () => {
    const one = protocolError('INVALID_REPLICATION_FACTOR', 'Replication-factor is invalid')
    const error = adminTrouble(Object.assign(new Error('Topic creation errors'), { errors: [one] }), 'make it', true)
    expect(error).toBeInstanceOf(RetryableError)
    expect(error.message).toContain('Replication-factor is invalid')
  })
})
