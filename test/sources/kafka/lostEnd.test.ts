import { mkdtempSync, readFileSync, rmSync, truncateSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { map } from 'rxjs'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { decode } from '../../../src/operators/decode.ts'
import { systemClock } from '../../../src/runtime/clock.ts'
import { OffsetOutOfRangeError } from '../../../src/runtime/errors.ts'
import type { LogReader, LogSource } from '../../../src/runtime/log/log.ts'
import { RecordView } from '../../../src/runtime/log/record.ts'
import { definePipeline } from '../../../src/runtime/pipeline/pipeline.ts'
import { Worker } from '../../../src/runtime/worker/worker.ts'
import { toPostgres } from '../../../src/sinks/toPostgres.ts'
import { kafkaSettings } from '../../../src/sources/kafka/kafkaSettings.ts'
import { openKafkaLog } from '../../../src/sources/kafka/openKafkaLog.ts'
import { encodeRecordBatch } from '../../../src/sources/recordBatch/encode.ts'
import { MemoryCheckpointStore } from '../../../src/testing/memoryCheckpointStore.ts'
import { type Broker, startBroker } from '../../support/brokerProcess.ts'
import { canStartBroker, startTitle, uniqueName } from '../../support/kafkaBroker.ts'
import { KafkaTopic } from '../../support/kafkaTopic.ts'

const folder = mkdtempSync(`${tmpdir()}/millrace-kafka-lost-end-`)
const dataDir = `${folder}/broker`

describe.skipIf(!canStartBroker).each(['wire', 'kafkajs'] as const)(
  startTitle('a partition that has lost its end and grown again, read through %s'),
  (client) => {
    let broker: Broker
    let topic: KafkaTopic
    const opened: LogSource[] = []
    beforeAll(async () => {
      broker = await startBroker({ dataDir })
    }, 300_000)
    beforeEach(async () => {
      await broker.start()
      topic = await KafkaTopic.create(broker.brokers)
    })
    afterEach(async () => {
      for (const source of opened.splice(0)) await source.close()
      await topic.close().catch(() => undefined)
    })
    afterAll(async () => {
      await broker?.kill()
      rmSync(folder, { recursive: true, force: true })
    })

    const open = async (): Promise<LogSource> => {
      const settings = kafkaSettings({ brokers: [...broker.brokers], client, heartbeatIntervalMs: 100 })
      const source = await openKafkaLog(settings, { topic: topic.name, group: uniqueName('group') })
      opened.push(source)
      return source
    }
    const produce = async (values: readonly string[]) => {
      for (const value of values) {
        const record = { timestamp: 1, key: null, value: Buffer.from(value) }
        const batch = encodeRecordBatch(0, [record])
        // A broker that has just been started takes nothing before it leads.
        await vi.waitFor(() => topic.produce(0, batch), { timeout: 20_000, interval: 100 })
      }
    }
    /** As after a loss of power: what the broker had not written to its disk is not there any more. */
    const restart = async ({ keeping }: { readonly keeping: number | 'all' }) => {
      await topic.close()
      await broker.kill()
      if (keeping !== 'all') cutLog(`${dataDir}/log/${topic.name}-0/00000000000000000000.log`, keeping)
      await broker.start()
      topic = await KafkaTopic.attach(broker.brokers, topic.name)
    }

    const store = () => new MemoryCheckpointStore()
    const pipeline = definePipeline({
      name: 'keep',
      build: (records) => ({
        kept: toPostgres(
          records.pipe(
            decode({ decode: (record) => record.valueText() ?? undefined }),
            map((value) => ({ value })),
          ),
          { name: 'kept', mode: 'append', columns: [{ name: 'value', type: 'text', of: ({ value }) => value }] },
        ),
      }),
    })
    const processAll = async (into: MemoryCheckpointStore) => {
      const worker = new Worker({ pipeline, source: await open(), store: into, archive: null, clock: systemClock })
      const running = worker.run()
      running.catch(() => undefined)
      worker.stop('drain')
      await running
    }
    const kept = (into: MemoryCheckpointStore) => into.rows('kept').map(({ value }) => value)

    test('is not gone on with by a worker that was down meanwhile', async () => {
      const into = store()
      await produce(numbers('a', 10))
      await processAll(into)
      await restart({ keeping: 5 })
      await produce(numbers('b', 8))
      const failed = processAll(into)
      await expect(failed).rejects.toBeInstanceOf(OffsetOutOfRangeError)
      await expect(failed).rejects.toThrow(/lost its end at offset 5, .* up to offset 9 .*accept the loss/)
      expect(kept(into)).toEqual(numbers('a', 10))
    }, 60_000)

    test('is not gone on with by a reader that was there all the time', async () => {
      await produce(numbers('a', 10))
      const reader = (await open()).reader(0)
      reader.seek(0)
      expect(await readUntil(reader, 10)).toEqual(numbers('a', 10))
      await restart({ keeping: 5 })
      await produce(numbers('b', 8))
      const failed = readUntil(reader, 13)
      await expect(failed).rejects.toBeInstanceOf(OffsetOutOfRangeError)
      await expect(failed).rejects.toThrow(/lost its end at offset 5/)
    }, 60_000)

    test('and one that has lost nothing over changes of its leader is read on, also where it lost what nobody had read', async () => {
      const into = store()
      await produce(numbers('a', 6))
      await processAll(into)
      await restart({ keeping: 'all' })
      await produce(numbers('b', 6))
      await processAll(into)
      await restart({ keeping: 'all' })
      await processAll(into)
      await produce(numbers('c', 6))
      await restart({ keeping: 15 })
      await produce(numbers('d', 6))
      await processAll(into)
      expect(kept(into)).toEqual([...numbers('a', 6), ...numbers('b', 6), ...numbers('c', 3), ...numbers('d', 6)])
    }, 90_000)
  },
)

const numbers = (name: string, count: number) => Array.from({ length: count }, (_, i) => `${name}${i}`)

async function readUntil(reader: LogReader, next: number): Promise<(string | null)[]> {
  const found: (string | null)[] = []
  const view = new RecordView()
  for (const deadline = performance.now() + 30_000; ; ) {
    const batch = await reader.fetch({ maxBytes: 1 << 20, maxWaitMs: 500 }).catch((error: unknown) => {
      if ((error as Error).name === 'RetryableError' && performance.now() < deadline) return null
      throw error
    })
    while (batch?.read(view) === true) found.push(view.valueText())
    if (batch !== null && batch.nextOffset >= next) return found
    if (performance.now() > deadline) throw new Error(`nothing came up to offset ${next}`)
  }
}

/** Leaves so many batches. */
function cutLog(path: string, batches: number): void {
  const bytes = readFileSync(path)
  let at = 0
  for (let left = batches; left > 0; left--) at += 12 + bytes.readInt32BE(at + 8)
  truncateSync(path, at)
}
