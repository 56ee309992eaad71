import { z } from 'zod'
import { ConfigurationError, RetryableError } from '../../../runtime/errors.ts'
import type { LogReader, LogSource } from '../../../runtime/log/log.ts'
import { RecordView } from '../../../runtime/log/record.ts'
import { createTopic, isolation, listOffset, offsetsAt, topicSettings } from '../protocol/topicExchanges.ts'
import type { Cluster } from '../wire/cluster.ts'
import { protocolErrorIn } from '../wire/trouble.ts'
import { openWireLog } from '../wire/wireLog.ts'

/** What is stored with every append, under the producer's name as the key. */
export interface StoredPosition {
  /** Which claim wrote it: how a fenced writer tells a successor from a transaction that the broker has given up. */
  readonly owner: string
  readonly position: string | null
}

const schema = z.object({ v: z.literal(1), owner: z.string(), position: z.string().nullable() })

/** The one partition of a positions topic: its records have one order. */
export const POSITIONS_PARTITION = 0

/** Kept small, so that a claim reads little: segments are rolled and compacted early. */
const CONFIGS: Readonly<Record<string, string>> = {
  'cleanup.policy': 'compact',
  'segment.bytes': String(8 << 20),
  'min.cleanable.dirty.ratio': '0.1',
  'message.timestamp.type': 'LogAppendTime',
  'max.message.bytes': String(4 << 20),
}
const PAUSE_MS = 20
const FIRST_WINDOW = 64
const FETCH = { maxBytes: 1 << 20, maxWaitMs: 500 }

export function positionsTopic(topic: string): string {
  return `${topic}.positions`
}

export function encodePosition({ owner, position }: StoredPosition): Buffer {
  return Buffer.from(JSON.stringify({ v: 1, owner, position }))
}

/** Makes the compacted topic when it is missing. Throws `ConfigurationError` where it may not, and where one that is there forgets. */
export async function ensurePositions(positions: Cluster): Promise<void> {
  try {
    await positions.refresh()
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error
    return makePositions(positions)
  }
  await requireKept(positions)
}

async function makePositions(positions: Cluster): Promise<void> {
  const { settings, clock, topic } = positions
  try {
    const connection = await positions.control()
    const wanted = { topic, partitions: 1, settings: CONFIGS, timeoutMs: settings.requestTimeoutMs }
    await connection.ask(createTopic, wanted)
  } catch (error) {
    if (protocolErrorIn(error) !== 'TOPIC_ALREADY_EXISTS') throw positions.trouble(error, `make topic ${topic}`)
  }
  const until = clock.now() + settings.requestTimeoutMs
  for (;;) {
    try {
      await positions.refresh()
      await positions.leader(POSITIONS_PARTITION)
      return
    } catch (error) {
      if (clock.now() > until) throw error
      await clock.sleep(PAUSE_MS)
    }
  }
}

/** A topic that somebody else has made may delete by age what a producer has not written for long, which would then append everything again. */
async function requireKept(positions: Cluster): Promise<void> {
  const { topic } = positions
  const names = ['cleanup.policy', 'retention.ms', 'retention.bytes']
  let found: ReadonlyMap<string, string | null>
  try {
    const connection = await positions.control()
    found = await connection.ask(topicSettings, { topic, names })
  } catch (error) {
    // Who may not ask is not kept from writing.
    if (protocolErrorIn(error)?.endsWith('_AUTHORIZATION_FAILED') === true) return
    throw positions.trouble(error, `read the settings of topic ${topic}`)
  }
  const policy = found.get('cleanup.policy') ?? ''
  const isLimited = ['retention.ms', 'retention.bytes'].some((name) => Number(found.get(name) ?? -1) >= 0)
  if (!policy.includes('delete') || !isLimited) return
  const limits = names.map((name) => `${name}=${found.get(name)}`).join(', ')
  throw new ConfigurationError(
    `Topic ${topic} keeps how far its producers have come, and deletes it again after a while (${limits}): a producer that has not written for so long would append everything anew. ` +
      'Set cleanup.policy=compact on it.',
    { topic },
  )
}

/** The newest committed position of a producer, or null for a new one. Reads backwards from the end, in windows that double. */
export async function readPosition(positions: Cluster, producer: string): Promise<StoredPosition | null> {
  const { settings, topic } = positions
  let source: LogSource | null = null
  try {
    source = await openWireLog(settings, { topic, group: topic })
    const reader = source.reader(POSITIONS_PARTITION)
    await untilStable(positions, reader)
    const { earliest, next } = await reader.bounds()
    for (let window = FIRST_WINDOW, end = next; end > earliest; window *= 2) {
      const start = Math.max(earliest, end - window)
      const text = await newestIn(reader, start, end, producer)
      if (text !== null) return parse(text, positions, producer)
      end = start
    }
    return null
  } finally {
    await source?.close()
  }
}

/** Another producer's open transaction hides what is behind it, so everything that is there now has to be decided first. */
async function untilStable(positions: Cluster, reader: LogReader): Promise<void> {
  const { clock, settings, topic } = positions
  const end = await highWatermark(positions)
  const until = clock.now() + settings.requestTimeoutMs
  while ((await reader.bounds()).next < end) {
    if (clock.now() > until) {
      throw new RetryableError(
        `Topic ${topic} has an open transaction of another producer, which hides the positions behind it. It is tried again.`,
        { topic },
      )
    }
    await clock.sleep(PAUSE_MS)
  }
}

async function highWatermark(positions: Cluster): Promise<number> {
  const { broker, epoch } = await positions.leader(POSITIONS_PARTITION)
  const connection = await positions.connect(broker)
  try {
    const place = { topic: positions.topic, partition: POSITIONS_PARTITION, leaderEpoch: epoch }
    const end = { isolation: isolation.uncommitted, timestamp: offsetsAt.latest }
    return await connection.ask(listOffset, { ...place, ...end })
  } catch (error) {
    throw positions.trouble(error, `read the end of ${positions.topic}`)
  } finally {
    positions.release(connection)
  }
}

async function newestIn(reader: LogReader, start: number, end: number, producer: string): Promise<string | null> {
  const view = new RecordView()
  let newest: string | null = null
  reader.seek(start)
  for (let at = start; at < end; ) {
    const batch = await reader.fetch(FETCH)
    // Behind the last record there may be nothing but offsets that hold none.
    if (batch === null) break
    while (batch.read(view)) {
      if (view.offset < end && view.keyText() === producer) newest = view.valueText()
    }
    at = batch.nextOffset
  }
  return newest
}

function parse(text: string, { topic }: Cluster, producer: string): StoredPosition {
  try {
    return schema.parse(JSON.parse(text))
  } catch (cause) {
    throw new ConfigurationError(
      `Topic ${topic} holds a position of producer '${producer}' that this version cannot read: ${text.slice(0, 80)}. ` +
        'Use another producer name or topic, or the version that wrote it.',
      { topic, cause },
    )
  }
}
