import {
  groupNameAllowed,
  groupNamePattern,
  runNameAllowed,
  runNamePattern,
  topicNameAllowed,
  topicNamePattern,
} from '../host/runNames.ts'
import { brokerAddressAllowed, isBrokerAddress } from '../sources/kafka/brokerAddress.ts'
import {
  integer,
  listOf,
  matching,
  oneOf,
  type SettingReader,
  such,
  text,
  trimmedAtCommas,
  yesOrNo,
  yesOrNoAllowed,
} from './settingReaders.ts'
import type { CommandName, Setting } from './settingTypes.ts'

/** Those that talk to Kafka when `KAFKA_BROKERS` is set. */
const kafka: readonly CommandName[] = [
  'run',
  'run realtime',
  'ingest',
  'backfill',
  'reconcile',
  'topics create',
  'topics describe',
  'status',
  'console',
  'dead-letters redrive',
  'offsets skip',
  'offsets accept-loss',
  'doctor',
]
const run: readonly CommandName[] = ['run', 'run realtime']

const mechanism = oneOf(['plain', 'scram-sha-256', 'scram-sha-512'])
const hours = integer(1, 87_600)
const retention: SettingReader<number | null> = (given) => (given === 'forever' ? null : hours(given))

/** The part of the table of settings that is about Kafka. */
export const kafkaSettingTable = {
  kafkaBrokers: {
    read: listOf(trimmedAtCommas, such(isBrokerAddress)),
    env: 'KAFKA_BROKERS',
    flag: null,
    commands: kafka,
    default: null,
    allowed: `${brokerAddressAllowed}, several with commas between`,
    description: 'Apache Kafka as the log. Unset: the embedded log in the database.',
  },
  kafkaClient: {
    read: oneOf(['wire', 'kafkajs']),
    env: 'KAFKA_CLIENT',
    flag: null,
    commands: run,
    default: 'wire',
    allowed: 'wire or kafkajs',
    description: 'What reads from Kafka: `wire` walks the fetched bytes in place, `kafkajs` is slower.',
  },
  kafkaSsl: {
    read: yesOrNo,
    env: 'KAFKA_SSL',
    flag: null,
    commands: kafka,
    default: 'false',
    allowed: yesOrNoAllowed,
    description: 'TLS to the brokers.',
  },
  kafkaSslCa: {
    read: text(),
    env: 'KAFKA_SSL_CA',
    flag: null,
    commands: kafka,
    default: null,
    allowed: 'a PEM file',
    description: "Authority that signed the brokers' certificates. Unset: those that Node trusts.",
  },
  kafkaSslCert: {
    read: text(),
    env: 'KAFKA_SSL_CERT',
    flag: null,
    commands: kafka,
    default: null,
    allowed: 'a PEM file',
    description:
      'Certificate that this client shows the brokers, with those between it and its authority. Unset: none.',
  },
  kafkaSslKey: {
    read: text(),
    env: 'KAFKA_SSL_KEY',
    flag: null,
    commands: kafka,
    default: null,
    allowed: 'a PEM file',
    description: 'Private key of that certificate, not encrypted.',
  },
  kafkaSaslMechanism: {
    read: (given) => mechanism(given.toLowerCase()),
    env: 'KAFKA_SASL_MECHANISM',
    flag: null,
    commands: kafka,
    default: null,
    allowed: 'plain, scram-sha-256 or scram-sha-512',
    description: 'How to log in to the brokers. Unset: without credentials.',
  },
  kafkaSaslUsername: {
    read: text(),
    env: 'KAFKA_SASL_USERNAME',
    flag: null,
    commands: kafka,
    default: null,
    allowed: 'any text',
    description: 'User at the brokers.',
  },
  kafkaSaslPassword: {
    read: text(),
    env: 'KAFKA_SASL_PASSWORD',
    flag: null,
    commands: kafka,
    default: null,
    allowed: 'any text',
    description: 'Password at the brokers.',
    secret: true,
  },
  kafkaSessionTimeoutMs: {
    read: integer(500, 300_000),
    env: 'KAFKA_SESSION_TIMEOUT_MS',
    flag: null,
    commands: run,
    default: '6000',
    allowed: 'a whole number from 500 to 300000',
    description:
      "How long a worker that went silent keeps its partitions. The broker's `group.min.session.timeout.ms` is the least.",
  },
  kafkaReplication: {
    read: integer(1, 15),
    env: 'KAFKA_REPLICATION',
    flag: null,
    commands: [...run, 'ingest', 'backfill', 'topics create'],
    default: null,
    allowed: 'a whole number from 1 to 15',
    description: "Copies of a topic that is made now. Unset: the broker's default.",
  },
  kafkaRetentionHours: {
    read: retention,
    env: 'KAFKA_RETENTION_HOURS',
    flag: null,
    commands: [...run, 'ingest', 'backfill', 'topics create'],
    default: '168',
    allowed: 'a whole number from 1 to 87600, or forever',
    description:
      'How long a topic that is made now keeps records, by their time: records of the past need `forever`. An existing topic is left as it is.',
  },
  group: {
    read: matching(groupNamePattern),
    env: 'MILLRACE_GROUP',
    flag: '--group <group>',
    commands: [...run, 'status'],
    default: null,
    allowed: groupNameAllowed,
    description: 'Consumer group that shares the partitions. Unset: millrace.PIPELINE.TOPIC.',
  },
  logTopic: {
    read: matching(topicNamePattern),
    env: 'MILLRACE_TOPIC',
    flag: '--topic <topic>',
    commands: ['run realtime', 'ingest', 'backfill', 'reconcile'],
    default: null,
    allowed: topicNameAllowed,
    description:
      'Topic of the trades, or of the JSON lines. Unset: crypto.trades.raw for spot, one of its own for each other market and for a tape; the topic that a --feed names.',
    narrower: {
      backfill: { description: 'Of --trades. Unset: a topic of their own, which the command names.' },
      reconcile: { description: 'Of --follow: where the trades of the candles are. Unset: the topic of the market.' },
    },
  },
  inputTopic: {
    read: matching(topicNamePattern),
    env: null,
    flag: '--topic <topic>',
    commands: ['run'],
    default: null,
    allowed: topicNameAllowed,
    description: 'What a pipeline without inputs reads. One with inputs names its topics itself.',
  },
  workers: {
    read: integer(1, 64),
    env: 'MILLRACE_WORKERS',
    flag: '--workers <count>',
    commands: run,
    default: '1',
    allowed: 'a whole number from 1 to 64',
    description:
      'Worker processes on this machine, which share the partitions (Kafka only). One that dies is started again.',
  },
  workerId: {
    read: matching(runNamePattern),
    env: 'MILLRACE_WORKER_ID',
    flag: '--worker-id <id>',
    commands: run,
    default: null,
    allowed: runNameAllowed,
    description:
      'Who this worker is in its group, the same after a restart, so that it gets its partitions back at once. Unset: made of the host and the data folder.',
  },
} as const satisfies Record<string, Setting>
