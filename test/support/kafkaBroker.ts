import { randomBytes } from 'node:crypto'
import { mkdirSync } from 'node:fs'
import { withFileLock } from '../../src/embedded/fileLock.ts'
import { addUser, countUsers } from '../../src/embedded/users.ts'
import { type Broker, findBroker, removeBrokerData, startBroker } from './brokerProcess.ts'
import { sharedBrokerFolder } from './guardian/sharedServers.ts'
import { missingForBroker } from './kafkaJars.ts'

/** The broker that all test files share. Nobody restarts it: a test that needs that starts one of its own with `startBroker`. */
export interface SharedBroker {
  readonly brokers: readonly string[]
  /** By SASL, or null for a broker that came with `KAFKA_BROKERS`. */
  readonly saslBrokers: readonly string[] | null
  /** Lets go; the last user stops the broker. */
  close(): Promise<void>
}

const given = (process.env.KAFKA_BROKERS ?? '').split(',').filter((address) => address !== '')
const missingHere = await missingForBroker()
const missing = given.length > 0 ? null : missingHere

/** Whether the tests below can run; a part of their title, so that the list of skipped tests says what is missing. */
export const hasKafka = missing === null
export const kafkaTitle = (title: string) => (missing === null ? title : `${title} (needs KAFKA_BROKERS: ${missing})`)

/** The same for tests that start, kill and restart a broker of their own, which a given one is not there for. */
export const canStartBroker = missingHere === null
export const startTitle = (title: string) =>
  missingHere === null ? title : `${title} (needs a broker to kill: ${missingHere})`

const folder = sharedBrokerFolder
const layout = { users: `${folder}/users` }
const dataDir = `${folder}/data`

/** Use as `const kafka = await sharedBroker()` in `beforeAll` and `kafka.close()` in `afterAll`. */
export async function sharedBroker(): Promise<SharedBroker> {
  if (given.length > 0) return { brokers: given, saslBrokers: null, close: async () => undefined }
  mkdirSync(folder, { recursive: true })
  const { broker, note } = await locked(async () => {
    const broker = countUsers(layout) > 0 ? await joined() : await fresh()
    return { broker, note: addUser(layout) }
  })
  return {
    brokers: broker.brokers,
    saslBrokers: broker.saslBrokers,
    close: () =>
      locked(async () => {
        note.remove()
        if (countUsers(layout) > 0) return
        // What it holds is of no use to anybody, so it need not be tidy.
        await broker.kill()
      }),
  }
}

/** A name that no other test uses, in this run or in another on the same broker. */
export function uniqueName(what: string): string {
  return `${what}-${process.pid}-${randomBytes(4).toString('hex')}`
}

/** Nobody waits for a second life of this one; and what a broker does while nobody asks for anything, this one would do as long as the tests run. */
const calm = {
  'broker.session.timeout.ms': '9000',
  'broker.heartbeat.interval.ms': '2000',
  'metadata.max.idle.interval.ms': '0',
}

const locked = <T>(action: () => Promise<T>) => withFileLock(`${folder}/lock`, 180_000, action)

async function joined(): Promise<Broker> {
  const broker = findBroker(dataDir)
  if (broker === null) return fresh()
  await broker.start()
  return broker
}

// Topics of the last run would only slow it down.
async function fresh(): Promise<Broker> {
  await findBroker(dataDir)?.kill()
  removeBrokerData(dataDir)
  return startBroker({ dataDir, properties: calm })
}
