import type pg from 'pg'
import { openEmbeddedRedrive } from '../host/embeddedTopics.ts'
import { isEmbeddedTopic } from '../host/logKind.ts'
import { openKafkaRedrive, type RedriveTopic } from '../host/redriveTopic.ts'
import { type DeadLetterFilter, type DeadLetterKey, deadLetterTopics, findDeadLetter } from '../queries/deadLetters.ts'
import { type RedriveReport, type RedriveSelection, redrive } from '../queries/redrive.ts'
import { ConfigurationError } from '../runtime/errors.ts'
import type { PostgresAddress } from '../sinks/postgres/connection.ts'
import type { CommandContext } from './commandContext.ts'
import { kafkaConnection } from './kafkaConnection.ts'

/** Where dead letters are. */
export interface RedrivePlace {
  readonly address: PostgresAddress
  /** Of the schema. */
  readonly client: pg.Client
  readonly schema: string
}

/** What was redriven of one topic. */
export interface RedrivenTopic extends RedriveReport {
  readonly topic: string
}

/** Those of the letters that the schema has, redriven topic by topic; gives the keys that it has. */
export async function redriveKeys(
  context: CommandContext,
  place: RedrivePlace,
  keys: readonly DeadLetterKey[],
): Promise<{ readonly topics: readonly RedrivenTopic[]; readonly found: readonly DeadLetterKey[] }> {
  const byTopic = new Map<string, DeadLetterKey[]>()
  const found: DeadLetterKey[] = []
  for (const key of keys) {
    if ((await findDeadLetter(place.client, key)) === null) continue
    found.push(key)
    byTopic.set(key.topic, [...(byTopic.get(key.topic) ?? []), key])
  }
  return { topics: await redriveEach(context, place, byTopic), found }
}

/** All that wait and that the filter leaves, topic by topic. */
export async function redriveFiltered(
  context: CommandContext,
  place: RedrivePlace,
  filter: Omit<DeadLetterFilter, 'isRedrivenIncluded'>,
): Promise<readonly RedrivenTopic[]> {
  const selections = new Map<string, RedriveSelection>()
  for (const topic of await deadLetterTopics(place.client, filter.pipeline)) {
    if (filter.topic === null || topic === filter.topic) {
      selections.set(topic, { ...filter, topic, isRedrivenIncluded: false })
    }
  }
  return redriveEach(context, place, selections)
}

async function redriveEach(
  context: CommandContext,
  place: RedrivePlace,
  selections: ReadonlyMap<string, RedriveSelection>,
): Promise<readonly RedrivenTopic[]> {
  const done: RedrivenTopic[] = []
  for (const [topic, selection] of selections) {
    const log = await openTopic(context, place, topic)
    try {
      done.push({ topic, ...(await redrive(place.client, log.writer, selection, log.read)) })
    } finally {
      await log.close()
    }
  }
  return done
}

/** To the log that the topic was processed from. Throws `ConfigurationError` where that is Kafka and no brokers are named. */
async function openTopic(
  { settings }: CommandContext,
  { address, client, schema }: RedrivePlace,
  topic: string,
): Promise<RedriveTopic> {
  if (await isEmbeddedTopic(client, topic)) return openEmbeddedRedrive(address, schema, topic)
  const kafka = kafkaConnection(settings)
  if (kafka !== null) return openKafkaRedrive(kafka, topic)
  throw new ConfigurationError(
    `topic ${topic} is not in the embedded log, so it was processed from Kafka: set KAFKA_BROKERS to redrive its dead letters.`,
    { topic },
  )
}
