import type pg from 'pg'
import { formatFixed } from '../exact/decimal.ts'
import { type DataFile, DataFileWriter, rowsPerFile } from '../lake/dataFile.ts'
import { type LakePlace, prepareCommit, readCommitted } from '../lake/lakeCommit.ts'
import { type LakeRow, lakeTable } from '../lake/lakeTable.ts'
import type { MarketEvent } from '../market/trade.ts'
import { ArchivedFrames } from '../replay/archivedFrames.ts'
import { type ManifestObject, postgresManifest } from '../replay/archiveManifest.ts'
import { type Codec, Rejection } from '../runtime/log/codec.ts'
import { RecordView } from '../runtime/log/record.ts'
import type { ObjectStore } from '../runtime/objectStore.ts'
import { ArchiveLines } from '../sinks/archive/archiveLines.ts'

/** Trades as they came, repeats and all: a row for each record of the archive that holds one. */
const bronzeTrades = lakeTable('market.bronze_trades', {
  columns: {
    market: 'string',
    symbol: 'string',
    trade_id: 'long',
    trade_time: 'timestamptz',
    price: 'decimal(38,8)',
    quantity: 'decimal(38,8)',
    is_buyer_maker: 'boolean',
    is_fill: 'boolean',
    topic: 'string',
    log_partition: 'int',
    log_offset: 'long',
  },
  key: ['topic', 'log_partition', 'log_offset'],
  day: 'trade_time',
})

/** Objects of one commit hold so much, compressed, or they are one. */
const bytesAtOnce = 32 * 1024 * 1024
const objectsAtOnce = 64
const rowsAtOnce = 4_096
const dayMs = 86_400_000

/** Where there are objects that the lake has not, and from which offset on. */
const unreadText = `SELECT object.topic, object.partition, coalesce(place.next_offset, 0)::float8 AS "nextOffset"
FROM (SELECT topic, partition, max(last_offset) AS last_offset FROM archive_object WHERE pipeline = $1 GROUP BY topic, partition) AS object
LEFT JOIN bronze_place AS place ON (place.topic, place.partition) = (object.topic, object.partition)
WHERE place.next_offset IS NULL OR place.next_offset <= object.last_offset ORDER BY 1, 2`

const movePlace = `INSERT INTO bronze_place (topic, partition, next_offset) VALUES ($1, $2, $3)
ON CONFLICT (topic, partition) DO UPDATE SET next_offset = excluded.next_offset`

export interface BronzeTradesOptions {
  /** Whose archive it is. */
  readonly archivist: string
  readonly store: ObjectStore
  readonly lake: LakePlace
  readonly trades: Codec<MarketEvent>
  /** ms UTC: the time of the commits. */
  readonly now: number
  readonly signal: AbortSignal
}

interface Place {
  readonly topic: string
  readonly partition: number
  readonly nextOffset: number
}

/**
 * Brings the trades of archive objects into the lake: a file for each object and day, and some objects in a commit, in a transaction with the places that were reached, so that each is there once. Gives how many commits it made. Whoever calls
 * it holds the lock of writers. Holds the files of one commit, and one object.
 */
export async function tradesToLake(client: pg.ClientBase, options: BronzeTradesOptions): Promise<number> {
  let commits = 0
  for (;;) {
    options.signal.throwIfAborted()
    const some = await unreadObjects(client, options.archivist)
    if (some.length === 0) return commits
    if (await commitSome(client, options, some)) commits += 1
  }
}

interface UnreadObject {
  readonly place: Place
  readonly object: ManifestObject
}

/** The next ones, of as many partitions as there is room for. */
async function unreadObjects(client: pg.ClientBase, archivist: string): Promise<readonly UnreadObject[]> {
  const { rows } = await client.query<Place>(unreadText, [archivist])
  const some: UnreadObject[] = []
  let bytes = 0
  for (const place of rows) {
    const manifest = postgresManifest(client, { pipeline: archivist, topic: place.topic })
    for (const object of await manifest.objects(place.partition, place.nextOffset, objectsAtOnce)) {
      bytes += object.sizeBytes
      if (some.length > 0 && (bytes > bytesAtOnce || some.length === objectsAtOnce)) return some
      some.push({ place, object })
    }
  }
  return some
}

/** False where there was no trade among them. */
async function commitSome(
  client: pg.ClientBase,
  { store, lake, trades, now }: BronzeTradesOptions,
  some: readonly UnreadObject[],
): Promise<boolean> {
  const added: DataFile[] = []
  for (const { place, object } of some) added.push(...(await filesOf(store, object, place, trades)))
  const commit = await prepareCommit(
    await readCommitted(client, bronzeTrades),
    lake,
    bronzeTrades,
    { added, removed: [] },
    now,
  )
  await client.query('BEGIN')
  try {
    await commit?.apply(client)
    for (const { place, object } of some) {
      await client.query(movePlace, [place.topic, place.partition, object.lastOffset + 1])
    }
    await client.query('COMMIT')
  } catch (error) {
    // What went wrong before is what is told; a connection that is lost has rolled back by itself.
    await client.query('ROLLBACK').catch(() => undefined)
    throw error
  }
  await commit?.publish()
  return commit !== null
}

async function filesOf(
  store: ObjectStore,
  object: ManifestObject,
  { topic, partition, nextOffset }: Place,
  trades: Codec<MarketEvent>,
): Promise<readonly DataFile[]> {
  const frames = await ArchivedFrames.open(store, object)
  const files = new DayFiles()
  const lines = new ArchiveLines()
  const view = new RecordView()
  for (let piece = frames.next(); piece !== null; piece = frames.next()) {
    lines.load(piece)
    while (lines.read(view)) {
      const event = view.offset < nextOffset ? undefined : trades.decode(view)
      if (event === undefined || event instanceof Rejection || event.type !== 'trade') continue
      const { market, symbol, tradeId, tradeTime, price, quantity, isBuyerMaker, isFill = false } = event
      files.add(tradeTime, {
        ...{ market, symbol, trade_id: tradeId, trade_time: tradeTime },
        ...{ price: formatFixed(price, 8, 8), quantity: formatFixed(quantity, 8, 8) },
        ...{ is_buyer_maker: isBuyerMaker, is_fill: isFill },
        ...{ topic, log_partition: partition, log_offset: view.offset },
      })
    }
  }
  return files.finish()
}

/** Sorts rows into files of their days. */
class DayFiles {
  readonly #open = new Map<number, { readonly writer: DataFileWriter; rows: LakeRow[] }>()
  readonly #full: DataFile[] = []

  add(time: number, row: LakeRow): void {
    const day = Math.floor(time / dayMs)
    let file = this.#open.get(day)
    if (file === undefined) {
      file = { writer: new DataFileWriter(bronzeTrades), rows: [] }
      this.#open.set(day, file)
    }
    file.rows.push(row)
    if (file.rows.length < rowsAtOnce) return
    file.writer.addRows(file.rows)
    file.rows = []
    if (file.writer.rowCount < rowsPerFile) return
    this.#full.push(file.writer.finish(day))
    this.#open.delete(day)
  }

  finish(): readonly DataFile[] {
    for (const [day, { writer, rows }] of this.#open) {
      writer.addRows(rows)
      if (writer.rowCount > 0) this.#full.push(writer.finish(day))
    }
    this.#open.clear()
    return this.#full
  }
}
