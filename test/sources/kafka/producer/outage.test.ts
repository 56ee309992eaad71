import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Connection, initProducerIdV4 } from '@platformatic/kafka'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { RetryableError, TaskFencedError } from '../../../../src/runtime/errors.ts'
import type { LogWriter } from '../../../../src/runtime/log/log.ts'
import { RecordView } from '../../../../src/runtime/log/record.ts'
import { kafkaSettings } from '../../../../src/sources/kafka/kafkaSettings.ts'
import { openKafkaWriter } from '../../../../src/sources/kafka/producer/openKafkaWriter.ts'
import { openWireLog } from '../../../../src/sources/kafka/wire/wireLog.ts'
import { type Broker, removeBrokerData, startBroker } from '../../../support/brokerProcess.ts'
import { runChild } from '../../../support/childProcess.ts'
import { canStartBroker, startTitle } from '../../../support/kafkaBroker.ts'
import { KafkaTopic } from '../../../support/kafkaTopic.ts'

/** Of its own: it is killed. */
let broker: Broker
const dataDir = mkdtempSync(join(tmpdir(), 'millrace-broker-'))

beforeAll(async () => {
  if (!canStartBroker) return
  broker = await startBroker({ dataDir })
}, 180_000)
afterAll(async () => {
  await broker?.kill()
  removeBrokerData(dataDir)
})

describe.skipIf(!canStartBroker)(startTitle('Kafka writer in trouble'), () => {
  let topic: KafkaTopic
  const opened: { close(): Promise<void> }[] = []

  const settings = () => kafkaSettings({ brokers: [...broker.brokers], requestTimeoutMs: 1_500, connectTimeoutMs: 500 })
  const writer = async (): Promise<LogWriter> => {
    const made = await openKafkaWriter(settings(), { topic: topic.name })
    opened.unshift(made)
    return made
  }

  /** Appends as the ingest does: after trouble it claims again and goes on behind what was stored. Gives how often it claimed. */
  const appendAll = async (made: LogWriter, until: () => boolean): Promise<{ count: number; claims: number }> => {
    let claims = 0
    for (;;) {
      try {
        claims++
        let next = Number((await made.claim('ingest')).position ?? 0)
        for (; !until(); next += 10) await made.append(ten(next), String(next + 10))
        return { count: next, claims }
      } catch (error) {
        if (!(error instanceof RetryableError)) throw error
        await sleep(50)
      }
    }
  }

  beforeEach(async () => {
    topic = await KafkaTopic.create(broker.brokers, { partitions: 3 })
    opened.unshift({ close: () => topic.close().catch(() => undefined) })
  })
  afterEach(async () => {
    for (const each of opened.splice(0)) await each.close()
  })

  const storedNumbers = async (): Promise<number[][]> => {
    const log = await openWireLog(settings(), { topic: topic.name, group: topic.name })
    const view = new RecordView()
    const found: number[][] = []
    for (const partition of [0, 1, 2]) {
      const reader = log.reader(partition)
      const numbers: number[] = []
      for (let batch = await reader.fetch(SOON); batch !== null; batch = await reader.fetch(SOON)) {
        while (batch.read(view)) numbers.push(Number(view.valueText()))
      }
      found.push(numbers)
    }
    await log.close()
    return found
  }

  test('nothing is lost, repeated or out of order over a broker that is killed, restarted and suspended', async () => {
    let isDone = false
    const appending = appendAll(await writer(), () => isDone)
    await sleep(500)
    await broker.kill()
    await sleep(300)
    await broker.start()
    await sleep(1_000)
    broker.suspend()
    await sleep(2_000)
    broker.resume()
    await sleep(1_000)
    isDone = true
    const { count, claims } = await appending
    expect(claims).toBeGreaterThanOrEqual(3)
    expect(count).toBeGreaterThan(100)
    expect(await storedNumbers()).toEqual(numbersTo(count))
  })

  test('a process that is killed in mid-append leaves exactly what its position says', async () => {
    const program = new URL('./appendForever.ts', import.meta.url)
    for (const delayMs of [0, 37, 91]) {
      const child = runChild(program, [broker.brokers[0]!, topic.name])
      await child.firstLine()
      await sleep(delayMs)
      await child.kill()
    }
    const heir = await writer()
    const { position } = await heir.claim('ingest')
    await heir.append(ten(Number(position ?? 0)), 'end')
    expect(await storedNumbers()).toEqual(numbersTo(Number(position ?? 0) + 10))
  })

  test('a holder that only the broker has fenced claims again; one that has a successor stops', async () => {
    const holder = await writer()
    await holder.claim('ingest')
    await holder.append(ten(0), '10')
    await raiseEpoch(broker, `millrace.${topic.name}.ingest`)
    await expect(holder.append(ten(10), '20')).rejects.toBeInstanceOf(RetryableError)
    expect(await holder.claim('ingest')).toEqual({ position: '10' })
    await holder.append(ten(10), '20')
    const heir = await writer()
    expect(await heir.claim('ingest')).toEqual({ position: '20' })
    await expect(holder.append(ten(20), 'zombie')).rejects.toBeInstanceOf(TaskFencedError)
    expect(await storedNumbers()).toEqual(numbersTo(20))
  })
})

/** What the coordinator does by itself when a transaction has timed out. */
async function raiseEpoch(to: Broker, transactionalId: string): Promise<void> {
  const connection = new Connection('test')
  await connection.connect('127.0.0.1', to.ports.plain)
  // Right behind a commit the coordinator is still writing it, and answers that it is busy.
  await vi.waitFor(() => initProducerIdV4.api.async(connection, transactionalId, 1_000), 10_000)
  await connection.close()
}

const SOON = { maxBytes: 1 << 20, maxWaitMs: 400 }

const ten = (from: number) =>
  Array.from({ length: 10 }, (_, index) => from + index).map((number) => ({
    partition: number % 3,
    timestamp: number,
    key: null,
    value: Buffer.from(String(number)),
  }))

const numbersTo = (count: number) =>
  [0, 1, 2].map((partition) => Array.from({ length: count }, (_, number) => number).filter((n) => n % 3 === partition))
