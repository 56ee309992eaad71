import { Kafka, logLevel, Partitioners } from 'kafkajs'
import { RecordView } from '../../src/runtime/log/record.ts'
import { kafkaSettings } from '../../src/sources/kafka/kafkaSettings.ts'
import { openKafkaLog } from '../../src/sources/kafka/openKafkaLog.ts'
import { type BrokerVersion, broker, brokerVersions, currentBroker, makeTopic } from './brokers.ts'
import type { CompatCase } from './compatCase.ts'
import {
  keepOverAKill,
  keepRefused,
  keepToTheEnd,
  keptRecords,
  lastLines,
  millrace,
  type RunPlace,
} from './millrace.ts'
import { database } from './postgres.ts'
import { consumeWith, type ProducerTask, type PythonLibrary, produceWith, pythonPrograms } from './python.ts'
import { type PlainRecord, recordsOf, requireSame } from './records.ts'
import type { Stage } from './stage.ts'

type Client = 'wire' | 'kafkajs'

const partitions = 2
const codecs = ['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const
const libraries: readonly PythonLibrary[] = ['confluent-kafka', 'aiokafka', 'kafka-python']
/** What each library can do; kafka-python has no transactions that can be given up half-way in one process. */
const transactional: ReadonlySet<PythonLibrary> = new Set<PythonLibrary>(['confluent-kafka', 'aiokafka'])
/** The wire client and what is written by Millrace want Kafka 3.2. */
const isOld = (version: BrokerVersion) => version === '2.8.2'

/** Each broker through each client that reads from it, and what it is told where it cannot. */
export function kafkaCases(): readonly CompatCase[] {
  return brokerVersions.flatMap((version) => {
    if (isOld(version)) return [...readCases(version, 'kafkajs'), ...refusals(version)]
    return [
      ...readCases(version, 'wire'),
      ...readCases(version, 'kafkajs'),
      ...(['wire', 'kafkajs'] as const).map((client) => throughTopic(version, client)),
      ...writeCases(version),
    ]
  })
}

function readCases(version: BrokerVersion, client: Client): readonly CompatCase[] {
  const isCurrent = version === currentBroker
  return [
    kafkaCase(version, client, 'rows over a kill', isCurrent, async (stage) => {
      const place = await placeOn(stage, version, client)
      const first = recordsOf({ variant: 'first', from: 0, count: 300, hasKeys: true, hasHeaders: true })
      const second = recordsOf({ variant: 'second', from: 0, count: 300, hasKeys: true, hasHeaders: false })
      await produce(place, first)
      await keepOverAKill(stage, place, () => produce(place, second))
      requireSame('rows', [...first, ...second], await keptRecords(place))
    }),
    ...libraries.map((library) =>
      kafkaCase(
        version,
        client,
        `${library}: ${codecs.join(', ')}, keys or none, idempotent${transactional.has(library) ? ', transactions and aborted ones' : ''}`,
        isCurrent && library === 'confluent-kafka' && client === 'wire',
        (stage) => foreignProducer(stage, version, client, library),
      ),
    ),
  ]
}

async function foreignProducer(
  stage: Stage,
  version: BrokerVersion,
  client: Client,
  library: PythonLibrary,
): Promise<void> {
  await pythonPrograms(stage, stage.mayInstall)
  const place = await placeOn(stage, version, client)
  const tasks = codecs.flatMap((codec) => tasksOf(library, codec))
  const half = Math.ceil(tasks.length / 2)
  await produceWith(stage, library, brokersOf(place), place.topic, tasks.slice(0, half))
  await keepOverAKill(stage, place, () => produceWith(stage, library, brokersOf(place), place.topic, tasks.slice(half)))
  const kept = await keptRecords(place)
  const variantOf = ({ value }: PlainRecord) => JSON.parse(Buffer.from(value ?? '', 'hex').toString()).variant as string
  for (const { variant, records } of tasks) {
    requireSame(
      variant,
      records,
      kept.filter((record) => variantOf(record) === variant),
    )
  }
  requireSame(
    'all',
    tasks.flatMap(({ records }) => records),
    kept,
  )
}

function tasksOf(library: PythonLibrary, codec: string): ProducerTask[] {
  const task = (mode: ProducerTask['mode'], hasKeys: boolean, hasHeaders: boolean): ProducerTask => {
    const variant = `${codec} ${mode}${hasKeys ? ' keys' : ''}${hasHeaders ? ' headers' : ''}`
    const wanted = { variant, from: 0, count: 60, hasKeys, hasHeaders }
    const aborted = recordsOf({ ...wanted, variant: `aborted ${variant}`, count: 30 })
    return { variant, codec, mode, records: recordsOf(wanted), aborted }
  }
  return [
    task('plain', true, true),
    task('plain', false, false),
    task('idempotent', true, false),
    ...(transactional.has(library) ? [task('transactional', true, true)] : []),
  ]
}

function throughTopic(version: BrokerVersion, client: Client): CompatCase {
  return kafkaCase(
    version,
    client,
    'a topic in, a topic out, over a kill',
    version === currentBroker && client === 'wire',
    async (stage) => {
      const out = stage.unique('out')
      const place = await placeOn(stage, version, client, { COMPAT_OUT: out })
      await makeTopic(brokersOf(place), out, partitions)
      const first = recordsOf({ variant: 'first', from: 0, count: 300, hasKeys: true, hasHeaders: true })
      const second = recordsOf({ variant: 'second', from: 0, count: 300, hasKeys: true, hasHeaders: true })
      await produce(place, first)
      await keepOverAKill(stage, place, () => produce(place, second))
      requireSame('messages', [...first, ...second], await messagesIn(place, out))
    },
  )
}

/** What Millrace writes, whichever client reads. */
function writeCases(version: BrokerVersion): readonly CompatCase[] {
  return [
    kafkaCase(version, '-', 'a topic that is missing is made', false, async (stage) => {
      const place = await placeOn(stage, version, 'wire', { MILLRACE_TOPIC: stage.unique('made') })
      const { code, output } = await millrace(stage, place, ['topics', 'create'])
      if (code !== 0) throw new Error(`topics create ended with ${code}: ${lastLines(output)}`)
    }),
    ...libraries.map((library) =>
      kafkaCase(
        version,
        '-',
        `${library} reads what is sent`,
        version === currentBroker && library === 'confluent-kafka',
        async (stage) => {
          await pythonPrograms(stage, stage.mayInstall)
          const out = stage.unique('out')
          const place = await placeOn(stage, version, 'wire', { COMPAT_OUT: out })
          await makeTopic(brokersOf(place), out, partitions)
          const records = recordsOf({ variant: 'sent', from: 0, count: 400, hasKeys: true, hasHeaders: true })
          await produce(place, records)
          await keepToTheEnd(stage, place)
          requireSame('messages', records, await consumeWith(stage, library, brokersOf(place), out))
        },
      ),
    ),
  ]
}

/** On a broker that is too old for the client, or for what is to be written, the start says so and what to do. */
function refusals(version: BrokerVersion): readonly CompatCase[] {
  const refused = (client: Client, env: Readonly<Record<string, string>>, says: RegExp) => async (stage: Stage) => {
    const place = await placeOn(stage, version, client, env)
    if (env.COMPAT_OUT !== undefined) await makeTopic(brokersOf(place), env.COMPAT_OUT, partitions)
    await produce(place, recordsOf({ variant: 'unread', from: 0, count: 3, hasKeys: true, hasHeaders: false }))
    const { code, output } = await keepRefused(stage, place)
    if (code !== 2 || !says.test(output)) throw new Error(`ended with ${code} and said: ${lastLines(output)}`)
  }
  return [
    kafkaCase(
      version,
      'wire',
      'is refused, and kafkajs named',
      false,
      refused('wire', {}, /KAFKA_CLIENT=kafkajs|kafka\.client=kafkajs/),
    ),
    kafkaCase(
      version,
      'kafkajs',
      'an outlet to a topic is refused, and the version named that it needs',
      false,
      refused('kafkajs', { COMPAT_OUT: 'out_of_old' }, /Kafka 3\.2/),
    ),
  ]
}

function kafkaCase(
  version: BrokerVersion,
  client: Client | '-',
  name: string,
  isShort: boolean,
  run: CompatCase['run'],
): CompatCase {
  return { part: 'kafka', version, client, name, isShort, run }
}

async function placeOn(
  stage: Stage,
  version: BrokerVersion,
  client: Client,
  env: Readonly<Record<string, string>> = {},
): Promise<RunPlace> {
  const address = await broker(stage, version)
  const topic = stage.unique('topic')
  await makeTopic(address, topic, partitions)
  return {
    database: await database(stage, null),
    schema: stage.unique('schema'),
    topic,
    dataDir: stage.newFolder('data'),
    env: { KAFKA_BROKERS: address, KAFKA_CLIENT: client, KAFKA_SESSION_TIMEOUT_MS: '3000', ...env },
  }
}

const brokersOf = ({ env }: RunPlace) => env.KAFKA_BROKERS as string

async function produce(place: RunPlace, records: readonly PlainRecord[]): Promise<void> {
  const kafka = new Kafka({ brokers: [brokersOf(place)], logLevel: logLevel.NOTHING })
  const producer = kafka.producer({ createPartitioner: Partitioners.DefaultPartitioner })
  await producer.connect()
  const bytes = (hex: string | null) => (hex === null ? null : Buffer.from(hex, 'hex'))
  await producer.send({
    topic: place.topic,
    messages: records.map(({ key, value, headers }) => ({
      key: bytes(key),
      value: bytes(value),
      headers: Object.fromEntries(headers.map(([name, content]) => [name, bytes(content) as Buffer])),
    })),
  })
  await producer.disconnect()
}

/** By the client that the run did not use. */
async function messagesIn({ env }: RunPlace, topic: string): Promise<PlainRecord[]> {
  const client = env.KAFKA_CLIENT === 'wire' ? 'kafkajs' : 'wire'
  const source = await openKafkaLog(kafkaSettings({ brokers: [env.KAFKA_BROKERS as string], client }), {
    topic,
    group: topic,
  })
  const hex = (bytes: Uint8Array | null) => (bytes === null ? null : Buffer.from(bytes).toString('hex'))
  const view = new RecordView()
  const found: PlainRecord[] = []
  try {
    for (const partition of await source.partitions()) {
      const reader = source.reader(partition)
      const { earliest, next } = await reader.bounds()
      reader.seek(earliest)
      for (let offset = earliest; offset < next; ) {
        const batch = await reader.fetch({ maxBytes: 1 << 20, maxWaitMs: 2_000 })
        if (batch === null) throw new Error(`nothing came of ${topic}/${partition} at offset ${offset}`)
        while (batch.read(view)) {
          const headers = view.headers().map(({ key, value }) => [key, hex(value)] as const)
          found.push({ key: hex(view.keyCopy()), value: hex(view.valueCopy()), headers })
        }
        offset = batch.nextOffset
      }
    }
    return found
  } finally {
    await source.close()
  }
}
