import { EMPTY, share } from 'rxjs'
import { tradeCodec } from '../../src/market/tradeCodec.ts'
import { longerCandles, marketEvents, minuteCandles } from '../../src/pipelines/candleChain.ts'
import { candleTable } from '../../src/pipelines/candleTable.ts'
import { ArchiveLog } from '../../src/replay/archiveLog.ts'
import type { ArchiveManifest } from '../../src/replay/archiveManifest.ts'
import { ReplayStore } from '../../src/replay/replayStore.ts'
import { systemClock } from '../../src/runtime/clock.ts'
import { mostAhead, ReadAhead } from '../../src/runtime/log/readAhead.ts'
import { RecordView } from '../../src/runtime/log/record.ts'
import type { ObjectStore } from '../../src/runtime/objectStore.ts'
import { definePipeline } from '../../src/runtime/pipeline/pipeline.ts'
import type { ArchivedObject } from '../../src/runtime/store/checkpoint.ts'
import { Worker } from '../../src/runtime/worker/worker.ts'
import { rawArchive } from '../../src/sinks/archive/rawArchive.ts'
import { readArchiveObject } from '../../src/sinks/archive/readArchiveObject.ts'
import { directoryStore } from '../../src/sinks/objects/directoryStore.ts'
import { toPostgres } from '../../src/sinks/toPostgres.ts'

const symbols = ['BTCUSDT', 'ETHUSDT', 'SOLUSDT']
const startMs = 1_723_161_255_342
const never = new AbortController().signal
const rounds = 5

export interface ArchivedTrades {
  readonly trades: number
  readonly store: ObjectStore
  readonly objects: readonly ArchivedObject[]
}

/** Frames of three symbols as the feed writes them, in objects as a run keeps them. */
export async function archivedTrades(folder: string, trades: number): Promise<ArchivedTrades> {
  const store = directoryStore(folder)
  const writer = rawArchive({ store }).open({ pipeline: 'bench', topic: 'trades', partition: 0 }, 0, systemClock)
  const view = new RecordView()
  for (let i = 0; i < trades; i++) {
    const symbol = symbols[i % symbols.length] as string
    const time = startMs + i * 2
    const key = Buffer.from(symbol)
    const value = Buffer.from(
      `{"stream":"${symbol.toLowerCase()}@trade","data":{"e":"trade","E":${time + 1},"s":"${symbol}","t":${Math.floor(i / symbols.length)},"p":"6${1_000 + (i % 997)}.25000000","q":"0.${String(100_000 + (i % 89) * 10_000).padStart(8, '0')}","T":${time},"m":${i % 2 === 0},"M":true}}`,
    )
    view.buffer = Buffer.concat([key, value])
    view.keyLength = key.length
    view.valueStart = key.length
    view.valueLength = value.length
    view.offset = i
    view.timestamp = time
    writer.append(view)
    if (writer.isBehind) await writer.catchUp(never)
    if (!writer.hasRoom) await writer.waitForRoom(never)
  }
  await writer.finish(never)
  return { trades, store, objects: writer.take().objects }
}

const pipeline = definePipeline({
  name: 'bench',
  build(records) {
    const options = { allowedLatenessMs: 30_000, idTtlMs: 600_000 }
    const events = marketEvents(records, tradeCodec({ market: 'spot', timeUnit: 'ms' }))
    const minutes = minuteCandles(events, EMPTY, options)
    const fives = longerCandles('5m', minutes, EMPTY, options).pipe(share())
    return { '1m': toPostgres(minutes, candleTable('1m')), '5m': toPostgres(fives, candleTable('5m')) }
  },
})

/** Trades a second of processor time, the best of five rounds: objects read as records, walked as a log, and through 1m and 5m. */
export async function benchReplay({ trades, store, objects }: ArchivedTrades): Promise<Record<string, number>> {
  const manifest: ArchiveManifest = {
    pipeline: 'bench',
    topic: 'trades',
    partitions: async () => 1,
    bounds: async () => ({ earliest: 0, next: trades }),
    objects: async (_, from, limit) => objects.filter(({ lastOffset }) => lastOffset >= from).slice(0, limit),
    skipped: async () => [],
  }
  const generator = async () => {
    for (const { key } of objects) for (const _ of readArchiveObject((await store.get(key)) as Buffer));
  }
  const walk = async () => {
    const reader = new ArchiveLog({ manifest, store }).reader(0)
    const ahead = new ReadAhead(mostAhead)
    const fetch = () => reader.fetch({ maxBytes: 1, maxWaitMs: 0 })
    for (let batch = await fetch(); batch !== null; batch = await fetch()) {
      ahead.release()
      while (ahead.next(batch));
    }
  }
  const recorded = { recordedSteps: async () => [], mergeNotes: async () => [], answers: async () => [] }
  const replay = async () => {
    const worker = new Worker({
      pipeline,
      source: new ArchiveLog({ manifest, store }),
      store: new ReplayStore(recorded, () => undefined),
      archive: null,
      clock: systemClock,
    })
    const running = worker.run()
    worker.stop('drain')
    await running
  }
  return {
    read_objects_trades_per_cpu_s: await bestOf(trades, generator),
    walk_archive_trades_per_cpu_s: await bestOf(trades, walk),
    replay_1m_5m_trades_per_cpu_s: await bestOf(trades, replay),
  }
}

async function bestOf(trades: number, run: () => Promise<void>): Promise<number> {
  let best = 0
  for (let round = 0; round < rounds; round++) {
    const before = process.cpuUsage()
    await run()
    const { user, system } = process.cpuUsage(before)
    best = Math.max(best, (trades / (user + system)) * 1e6)
  }
  return Math.round(best)
}
