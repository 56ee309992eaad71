import { execFile, spawn } from 'node:child_process'
import { randomInt } from 'node:crypto'
import {
  closeSync,
  cpSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { connect, createServer, type Server } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { withFileLock } from '../../src/embedded/fileLock.ts'
import { isPidRunning } from '../../src/embedded/processIdentity.ts'
import { fetchJars, jarFolder, KAFKA_VERSION, kafkaFolder } from './kafkaJars.ts'

/** All on 127.0.0.1. */
export interface BrokerPorts {
  readonly plain: number
  readonly sasl: number
  readonly controller: number
}

export interface BrokerOptions {
  /** Kept over restarts; made when it does not exist. */
  readonly dataDir: string
  /** Default: free ones, remembered in the folder, so that a broker started again on it has its old address. */
  readonly ports?: BrokerPorts
  /** Default `-Xmx512m -XX:+UseSerialGC -XX:TieredStopAtLevel=1`: small and soon up. Measure without the last. */
  readonly jvmOptions?: readonly string[]
  /** Of Apache Kafka, from 3.5 on. Default: the one that the tests use. */
  readonly version?: string
  /** More lines of server.properties. */
  readonly properties?: Readonly<Record<string, string>>
}

/** A real broker, alone in its cluster. */
export interface Broker {
  /** `host:port`, without credentials. */
  readonly brokers: readonly string[]
  /** The same broker by SASL, with `saslUser`. */
  readonly saslBrokers: readonly string[]
  readonly ports: BrokerPorts
  /** Of the process that runs now, or null. */
  readonly pid: number | null
  /** Lets it end tidily. */
  stop(): Promise<void>
  /** kill -9. */
  kill(): Promise<void>
  /** Starts it again on the same ports and data; resolves when it answers. Nothing happens when it runs. */
  start(): Promise<void>
  /** SIGSTOP and SIGCONT: a broker that is there and does not answer. */
  suspend(): void
  resume(): void
}

/** Known to every test broker, by PLAIN and by SCRAM. It listens on loopback only. */
export const saslUser = { username: 'millrace-test', password: 'test-only-not-a-secret' } as const

/** Of every test broker: those with other node ids join the first one. */
export const clusterId = 'bWlsbHJhY2UtdGVzdC1rZg'
const readyTimeoutMs = 60_000
// Long for one that writes its classes as it ends, on a busy machine.
const endTimeoutMs = 60_000
const run = promisify(execFile)

/** Starts Apache Kafka as a process of its own and resolves when it takes requests, about 3 s. */
export async function startBroker(options: BrokerOptions): Promise<Broker> {
  const { dataDir, version = KAFKA_VERSION } = options
  await withFileLock(`${kafkaFolder}/fetch.lock`, 300_000, () => fetchJars(version))
  const ports = options.ports ?? rememberedPorts(dataDir) ?? (await freeBrokerPorts())
  mkdirSync(dataDir, { recursive: true })
  writeFileSync(`${dataDir}/ports.json`, JSON.stringify(ports))
  writeProperties(dataDir, ports, options.properties ?? {})
  await format(dataDir, version)
  if (version === KAFKA_VERSION) await archiveClasses()
  const broker = brokerIn(dataDir, ports, options.jvmOptions, version)
  await broker.start()
  return broker
}

/** The broker of a folder, perhaps started by another process. */
export function findBroker(dataDir: string): Broker | null {
  const ports = rememberedPorts(dataDir)
  return ports === null ? null : brokerIn(dataDir, ports)
}

function brokerIn(
  dataDir: string,
  ports: BrokerPorts,
  jvmOptions: readonly string[] = soonUp,
  version = KAFKA_VERSION,
): Broker {
  const end = async (signal: NodeJS.Signals) => {
    const pid = runningPid(dataDir)
    if (pid === null) return
    process.kill(pid, signal)
    const deadline = performance.now() + endTimeoutMs
    while (isPidRunning(pid)) {
      if (performance.now() > deadline) process.kill(pid, 'SIGKILL')
      await sleep(10)
    }
  }
  const send = (signal: NodeJS.Signals) => {
    const pid = runningPid(dataDir)
    if (pid !== null) process.kill(pid, signal)
  }
  return {
    brokers: [`127.0.0.1:${ports.plain}`],
    saslBrokers: [`127.0.0.1:${ports.sasl}`],
    ports,
    get pid() {
      return runningPid(dataDir)
    },
    stop: () => end('SIGTERM'),
    kill: () => end('SIGKILL'),
    async start() {
      if (runningPid(dataDir) === null) launch(dataDir, jvmOptions, version)
      await untilReady(dataDir, ports)
    },
    suspend: () => send('SIGSTOP'),
    resume: () => send('SIGCONT'),
  }
}

const small = ['-Xms128m', '-Xmx512m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-Xshare:auto']
const classArchive = `${kafkaFolder}/classes-${KAFKA_VERSION}.jsa`
// A JVM that the archive does not fit loads its classes itself.
const soonUp = [...small, `-XX:SharedArchiveFile=${classArchive}`]

// Its own session: Ctrl-C in a terminal reaches the tests, and those stop the broker.
function launch(dataDir: string, jvmOptions: readonly string[], version: string): void {
  const log = openSync(`${dataDir}/broker.log`, 'a', 0o600)
  const quiet = '-Dorg.slf4j.simpleLogger.defaultLogLevel=warn'
  const args = [...jvmOptions, quiet, '-cp', `${jarFolder(version)}/*`, 'kafka.Kafka', `${dataDir}/server.properties`]
  const child = spawn('java', args, { detached: true, stdio: ['ignore', log, log], cwd: dataDir })
  closeSync(log)
  child.on('error', () => {})
  child.unref()
  if (child.pid !== undefined) writeFileSync(`${dataDir}/pid`, String(child.pid))
}

function runningPid(dataDir: string): number | null {
  const pid = Number(readIfThere(`${dataDir}/pid`) ?? Number.NaN)
  if (!Number.isInteger(pid) || !isPidRunning(pid)) return null
  // A stranger may have been given the pid of a broker that is gone.
  const commandLine = readIfThere(`/proc/${pid}/cmdline`)
  return commandLine === null || commandLine.includes(dataDir) ? pid : null
}

/** Loading them is most of what a start takes, so one broker leaves its classes as the JVM maps them, for all that come after it. */
async function archiveClasses(): Promise<void> {
  await withFileLock(`${kafkaFolder}/classes.lock`, 180_000, async () => {
    if (existsSync(classArchive)) return
    const dataDir = `${kafkaFolder}/classes`
    removeBrokerData(dataDir)
    mkdirSync(dataDir)
    const ports = await freeBrokerPorts()
    writeProperties(dataDir, ports, {})
    await format(dataDir, KAFKA_VERSION)
    const draft = `${dataDir}/draft.jsa`
    const broker = brokerIn(dataDir, ports, [...small, `-XX:ArchiveClassesAtExit=${draft}`])
    await broker.start()
    await broker.stop()
    renameSync(draft, classArchive)
    removeBrokerData(dataDir)
  })
}

async function untilReady(dataDir: string, ports: BrokerPorts): Promise<void> {
  const deadline = performance.now() + readyTimeoutMs
  while (!(await answersApiVersions(ports.plain))) {
    const isGone = runningPid(dataDir) === null
    if (isGone || performance.now() > deadline) {
      const said = (readIfThere(`${dataDir}/broker.log`) ?? '').split('\n').slice(-20).join('\n')
      throw new Error(`Kafka in ${dataDir} ${isGone ? 'ended' : 'did not answer in time'}:\n${said}`)
    }
    await sleep(25)
  }
}

/** An ApiVersions v0 request, the first thing that a broker answers; it opens its port a little earlier. */
async function answersApiVersions(port: number): Promise<boolean> {
  const request = Buffer.from([0, 0, 0, 10, 0, 18, 0, 0, 0, 0, 0, 1, 0xff, 0xff])
  const answered = Promise.withResolvers<boolean>()
  const socket = connect(port, '127.0.0.1', () => socket.write(request))
  socket.setTimeout(1_000, () => answered.resolve(false))
  socket.on('data', () => answered.resolve(true))
  socket.on('error', () => answered.resolve(false))
  socket.on('close', () => answered.resolve(false))
  const isAnswered = await answered.promise
  socket.destroy()
  return isAnswered
}

function writeProperties(dataDir: string, ports: BrokerPorts, more: Readonly<Record<string, string>>): void {
  const { username, password } = saslUser
  const plain = 'org.apache.kafka.common.security.plain.PlainLoginModule'
  const scram = 'org.apache.kafka.common.security.scram.ScramLoginModule required;'
  const properties: Record<string, string> = {
    'process.roles': 'broker,controller',
    'node.id': '1',
    'controller.quorum.voters': `1@127.0.0.1:${ports.controller}`,
    'controller.listener.names': 'CONTROLLER',
    listeners: `PLAIN://127.0.0.1:${ports.plain},SASL://127.0.0.1:${ports.sasl},CONTROLLER://127.0.0.1:${ports.controller}`,
    'listener.security.protocol.map': 'PLAIN:PLAINTEXT,SASL:SASL_PLAINTEXT,CONTROLLER:PLAINTEXT',
    'inter.broker.listener.name': 'PLAIN',
    'sasl.enabled.mechanisms': 'PLAIN,SCRAM-SHA-256,SCRAM-SHA-512',
    'listener.name.sasl.plain.sasl.jaas.config': `${plain} required user_${username}="${password}";`,
    'listener.name.sasl.scram-sha-256.sasl.jaas.config': scram,
    'listener.name.sasl.scram-sha-512.sasl.jaas.config': scram,
    'log.dirs': `${dataDir}/log`,
    'auto.create.topics.enable': 'false',
    'offsets.topic.num.partitions': '4',
    'offsets.topic.replication.factor': '1',
    'transaction.state.log.num.partitions': '4',
    'transaction.state.log.replication.factor': '1',
    'transaction.state.log.min.isr': '1',
    'share.coordinator.state.topic.replication.factor': '1',
    'share.coordinator.state.topic.min.isr': '1',
    'group.initial.rebalance.delay.ms': '0',
    // Room for tests of what happens after a session has timed out.
    'group.min.session.timeout.ms': '500',
    // Segments of tests are tiny; a preallocated index of 10 MB each would only fill the disk cache.
    'log.index.size.max.bytes': '1048576',
    // A broker that was killed may register again only once the controller has given up its last life: 9 s by default.
    'broker.session.timeout.ms': '1000',
    'broker.heartbeat.interval.ms': '200',
    'controlled.shutdown.enable': 'false',
    ...more,
  }
  const lines = Object.entries(properties).map(([name, value]) => `${name}=${value}\n`)
  writeFileSync(`${dataDir}/server.properties`, lines.join(''), { mode: 0o600 })
}

/** The storage tool takes a JVM start, so one formatted folder serves all brokers: what it holds knows neither ports nor place. */
async function format(dataDir: string, version: string): Promise<void> {
  if (existsSync(`${dataDir}/log/meta.properties`)) return
  await withFileLock(`${kafkaFolder}/format.lock`, 60_000, async () => {
    const template = `${kafkaFolder}/formatted-${version}`
    if (!existsSync(template)) {
      const scram = (name: string) => ['-S', `${name}=[name=${saslUser.username},password=${saslUser.password}]`]
      const args = [
        '-Xshare:auto',
        '-XX:TieredStopAtLevel=1',
        '-cp',
        `${jarFolder(version)}/*`,
        'kafka.tools.StorageTool',
      ]
      const what = ['format', '-t', clusterId, '-c', `${dataDir}/server.properties`]
      await run('java', [...args, ...what, ...scram('SCRAM-SHA-256'), ...scram('SCRAM-SHA-512')])
      cpSync(`${dataDir}/log`, `${template}.new`, { recursive: true })
      renameSync(`${template}.new`, template)
    }
    cpSync(template, `${dataDir}/log`, { recursive: true })
  })
}

function rememberedPorts(dataDir: string): BrokerPorts | null {
  const text = readIfThere(`${dataDir}/ports.json`)
  return text === null ? null : (JSON.parse(text) as BrokerPorts)
}

async function freeBrokerPorts(): Promise<BrokerPorts> {
  const [plain, sasl, controller] = await freePorts(3)
  return { plain: plain!, sasl: sasl!, controller: controller! }
}

/**
 * Ports of loopback that nobody uses at the moment. They lie below those that systems hand out by themselves, so that no connection takes one before its server is up.
 */
export async function freePorts(count: number): Promise<number[]> {
  const servers: Server[] = []
  while (servers.length < count) {
    const server = createServer()
    const isFree = await new Promise<boolean>((resolve) => {
      server.once('error', () => resolve(false))
      server.listen(randomInt(12_000, 32_000), '127.0.0.1', () => resolve(true))
    })
    if (isFree) servers.push(server)
  }
  const ports = servers.map((server) => (server.address() as { port: number }).port)
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))))
  return ports
}

function readIfThere(path: string): string | null {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return null
  }
}

/** Removes a broker's folder, which must not be in use. */
export function removeBrokerData(dataDir: string): void {
  rmSync(dataDir, { recursive: true, force: true })
}
