import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Kafka, logLevel } from 'kafkajs'
import { withFileLock } from '../../src/embedded/fileLock.ts'
import { freePorts, startBroker } from '../../test/support/brokerProcess.ts'
import { fetchJars, jarFolder, kafkaFolder, missingForBroker } from '../../test/support/kafkaJars.ts'
import { Skipped } from './compatCase.ts'
import { endProcess, type Stage } from './stage.ts'

/** Oldest first. Before 3.5 a broker of its own needs ZooKeeper. */
export const brokerVersions = ['2.8.2', '3.5.2', '4.1.0'] as const

export type BrokerVersion = (typeof brokerVersions)[number]

export const currentBroker = '4.1.0' satisfies BrokerVersion

/** `host:port` of a broker of the version. */
export function broker(stage: Stage, version: BrokerVersion): Promise<string> {
  return stage.part(`kafka ${version}`, async () => {
    const missing = await missingForBroker(version)
    if (missing !== null) throw new Skipped(missing)
    await withFileLock(`${kafkaFolder}/fetch.lock`, 300_000, () => fetchJars(version))
    return version === '2.8.2' ? withZooKeeper(stage, version) : alone(stage, version)
  })
}

/** Makes a topic whose records may be of any time. */
export async function makeTopic(address: string, topic: string, partitions: number): Promise<void> {
  const admin = new Kafka({ brokers: [address], logLevel: logLevel.NOTHING }).admin()
  await admin.connect()
  const configEntries = [{ name: 'retention.ms', value: '-1' }]
  await admin.createTopics({ topics: [{ topic, numPartitions: partitions, configEntries }], waitForLeaders: true })
  await admin.disconnect()
}

async function alone(stage: Stage, version: string): Promise<string> {
  const started = await startBroker({ dataDir: stage.newFolder(`kafka-${version}`), version })
  stage.guards(started.pid)
  stage.onClose(() => started.kill())
  return started.brokers[0] as string
}

async function withZooKeeper(stage: Stage, version: string): Promise<string> {
  const folder = stage.newFolder(`kafka-${version}`)
  const [port, zooKeeperPort] = (await freePorts(2)) as [number, number]
  mkdirSync(join(folder, 'zookeeper'))
  const zooKeeper = join(folder, 'zookeeper.properties')
  const broker = join(folder, 'server.properties')
  writeProperties(zooKeeper, {
    dataDir: join(folder, 'zookeeper'),
    clientPort: zooKeeperPort,
    clientPortAddress: '127.0.0.1',
    'admin.enableServer': 'false',
  })
  writeProperties(broker, {
    'broker.id': 1,
    'zookeeper.connect': `127.0.0.1:${zooKeeperPort}`,
    listeners: `PLAINTEXT://127.0.0.1:${port}`,
    'log.dirs': join(folder, 'log'),
    'auto.create.topics.enable': 'false',
    'offsets.topic.num.partitions': 4,
    'offsets.topic.replication.factor': 1,
    'transaction.state.log.num.partitions': 4,
    'transaction.state.log.replication.factor': 1,
    'transaction.state.log.min.isr': 1,
    'group.initial.rebalance.delay.ms': 0,
    'group.min.session.timeout.ms': 500,
  })
  java(stage, version, folder, ['org.apache.zookeeper.server.quorum.QuorumPeerMain', zooKeeper])
  java(stage, version, folder, ['kafka.Kafka', broker])
  await untilAnswers(`127.0.0.1:${port}`)
  return `127.0.0.1:${port}`
}

function java(stage: Stage, version: string, cwd: string, main: readonly string[]): void {
  const options = [
    '-Xmx384m',
    '-XX:+UseSerialGC',
    '-XX:TieredStopAtLevel=1',
    '-Dorg.slf4j.simpleLogger.defaultLogLevel=error',
  ]
  const server = stage.spawn('java', [...options, '-cp', `${jarFolder(version)}/*`, ...main], { cwd, stdio: 'ignore' })
  stage.onClose(() => endProcess(server, 'SIGKILL'))
}

function writeProperties(path: string, properties: Readonly<Record<string, string | number>>): void {
  writeFileSync(
    path,
    Object.entries(properties)
      .map(([name, value]) => `${name}=${value}\n`)
      .join(''),
  )
}

async function untilAnswers(address: string): Promise<void> {
  for (const deadline = performance.now() + 60_000; ; await sleep(200)) {
    const admin = new Kafka({ brokers: [address], logLevel: logLevel.NOTHING, retry: { retries: 0 } }).admin()
    try {
      await admin.connect()
      await admin.listTopics()
      return await admin.disconnect()
    } catch (error) {
      await admin.disconnect().catch(() => undefined)
      if (performance.now() > deadline) throw error
    }
  }
}
