import { ConfigurationError, type MillraceError, RetryableError } from '../../../runtime/errors.ts'
import { kafkajsTrouble, protocolErrorOf } from './trouble.ts'

/** Errors that the same request meets again, and what to change. */
const MISTAKES: Readonly<Record<string, string>> = {
  INVALID_TOPIC_EXCEPTION: 'Name the topic in letters, digits, dots, dashes and underscores, at most 249 of them.',
  INVALID_PARTITIONS: 'Ask for another number of partitions.',
  INVALID_CONFIG: 'The brokers do not allow a setting that its topics are made with: make the topic beforehand.',
  POLICY_VIOLATION: 'The brokers have a rule against such a topic: make it beforehand, as the rule allows.',
}

/**
 * An error of kafkajs' admin as one of ours. A right that is missing is a matter of configuration also on a connection that was accepted, because
 * whoever asks for metadata has not worked before.
 */
export function adminTrouble(error: unknown, doing: string, wasAccepted: boolean): MillraceError {
  const cause = firstOf(error)
  if (isMetadataMissing(cause)) {
    return new RetryableError(
      `Kafka: could not ${doing}: no broker gave its metadata; they have just started, are electing leaders, or the connection broke. It is tried again.`,
      { cause },
    )
  }
  const name = protocolErrorOf(cause)
  const mistake = name === null ? undefined : MISTAKES[name]
  if (mistake !== undefined && cause instanceof Error) {
    return new ConfigurationError(`Kafka: could not ${doing}: ${cause.message} (${name}). ${mistake}`, { cause })
  }
  return kafkajsTrouble(cause, doing, {}, wasAccepted && name?.endsWith('_AUTHORIZATION_FAILED') !== true)
}

/** Of several topics that could not be made, the first one says why. */
export function firstOf(error: unknown): unknown {
  if (!(error instanceof Error) || !('errors' in error) || !Array.isArray(error.errors)) return error
  return error.errors[0] ?? error
}

/**
 * kafkajs asks one broker after the other for metadata, swallows why each of them failed, and then reads a field of the answer that there is not.
 */
function isMetadataMissing(error: unknown): boolean {
  return error instanceof TypeError && error.message.includes('topicMetadata')
}
