import { isIP } from 'node:net'
import { z } from 'zod'
import { ConfigurationError } from '../../runtime/errors.ts'
import { brokerAddressAllowed, isBrokerAddress } from './brokerAddress.ts'
import { holdsCertificates, isPair, isPrivateKey } from './pem.ts'

const address = z.string().trim().refine(isBrokerAddress, `must be ${brokerAddressAllowed}`)

const saslSchema = z.strictObject({
  mechanism: z.enum(['plain', 'scram-sha-256', 'scram-sha-512']),
  username: z.string().min(1),
  password: z.string().min(1),
})

/** The parts of `tls.ConnectionOptions` that a broker's certificate needs; PEM text, not file names. */
const tlsSchema = z
  .strictObject({
    /** Authorities that sign brokers' certificates, instead of those that Node trusts. */
    ca: z.string().refine(holdsCertificates, 'must be certificates as PEM text, in whole').optional(),
    /** What this client shows a listener that wants a certificate, with those between it and its authority. */
    cert: z.string().refine(holdsCertificates, 'must be certificates as PEM text, in whole').optional(),
    key: z.string().refine(isPrivateKey, 'must be a private key as PEM text, not encrypted').optional(),
    /** The name in brokers' certificates, where it is not the one in `brokers`. */
    servername: z
      .string()
      .refine((name) => name !== '' && isIP(name) === 0, 'must be a host name, and no address')
      .optional(),
    rejectUnauthorized: z.boolean().optional(),
  })
  .refine(({ cert, key }) => (cert === undefined) === (key === undefined), {
    path: ['cert'],
    message: 'cert and key are set together or not at all',
  })
  .refine(({ cert, key }) => cert === undefined || key === undefined || isPair(cert, key), {
    path: ['key'],
    message: 'must be the key of the first certificate in cert',
  })

const ms = (fallback: number) => z.number().int().min(1).max(2_147_483_647).default(fallback)

const schema = z
  .strictObject({
    /** Addresses to begin with, as `host:port`; the cluster tells the others. */
    brokers: z.array(address).min(1),
    /** What brokers call this program in logs and quotas; `millrace` unless told otherwise. */
    clientId: z.string().min(1).max(249).default('millrace'),
    /** False: plain text. True: TLS with the system's authorities. */
    ssl: z.union([z.boolean(), tlsSchema]).default(false),
    /** Name and password, and how the broker is shown them. Left out: the broker asks for none. */
    sasl: saslSchema.optional(),
    /** `wire` walks the fetched bytes in place; `kafkajs` is slower and talks to any broker. */
    client: z.enum(['wire', 'kafkajs']).default('wire'),
    /**
     * `group.instance.id`: one that is the same after a restart lets a killed worker take its partitions back at once. Unset: a
     * member that is new each time. Brokers know it from Kafka 2.3 on.
     */
    instanceId: z
      .string()
      .regex(/^[a-zA-Z0-9._-]{1,249}$/)
      .optional(),
    /** How long a silent member keeps its partitions. The broker's `group.min.session.timeout.ms`, usually 6000, is the least. */
    sessionTimeoutMs: ms(6_000),
    /** How often a member tells the group that it is alive; at most half of `sessionTimeoutMs`. */
    heartbeatIntervalMs: ms(1_000),
    /** How long a rebalance waits for all members to come again. */
    rebalanceTimeoutMs: ms(15_000),
    /** How long `onRevoke` is awaited before partitions are let go in any case. */
    revokeTimeoutMs: ms(5_000),
    /** How long a connection may take to open. */
    connectTimeoutMs: ms(3_000),
    /** How long a broker may take to answer a request. */
    requestTimeoutMs: ms(10_000),
    /** How old the client's picture of leaders and partitions may be: a partition that was added is seen after this. */
    metadataMaxAgeMs: ms(5_000),
    /** The most that one batch may hold once it is decompressed; what holds more is refused before memory is given to it. */
    maxBatchBytes: z.number().int().min(1).max(1_073_741_824).default(67_108_864),
  })
  .refine((given) => given.heartbeatIntervalMs * 2 <= given.sessionTimeoutMs, {
    path: ['heartbeatIntervalMs'],
    message: 'must be at most half of sessionTimeoutMs',
  })
  .refine((given) => given.revokeTimeoutMs < given.rebalanceTimeoutMs, {
    path: ['revokeTimeoutMs'],
    message: 'must be less than rebalanceTimeoutMs',
  })

/** How to reach a Kafka cluster and how to take part in it, with every setting told. Made by `kafkaSettings`. */
export type KafkaSettings = Readonly<z.output<typeof schema>>

/** Settings of which all but `brokers` may be left out; `kafkaSettings` checks them and fills in the defaults. */
export type KafkaSettingsInput = z.input<typeof schema>

/** What a reader takes part in: a topic, and the group that shares its partitions. */
export interface KafkaTopicGroup {
  readonly topic: string
  /** Workers of one group share the partitions; each partition has one worker at a time. */
  readonly group: string
}

/** Fills in defaults. Throws `ConfigurationError` that names every wrong setting, and no value, since one may be a secret. */
export function kafkaSettings(input: KafkaSettingsInput): KafkaSettings {
  const parsed = schema.safeParse(input)
  if (parsed.success) return parsed.data
  const wrong = parsed.error.issues.map(({ path, message }) => `${['kafka', ...path].join('.')}: ${message}`)
  throw new ConfigurationError(`The settings for Kafka are wrong. ${wrong.join('; ')}.`)
}
