import { ConfigurationError, DeterminismError } from '../../runtime/errors.ts'
import { Rejection } from '../../runtime/log/codec.ts'
import type { FeedBatch, FeedReader } from '../../runtime/log/feed.ts'
import type { OutgoingRecord } from '../../runtime/log/log.ts'
import { RecordView } from '../../runtime/log/record.ts'
import type { ValueOf } from '../../runtime/log/topic.ts'
import { checkOptions, type OptionRules, optional } from '../../runtime/options.ts'
import { feedTarget } from '../../sources/ingest/feedTarget.ts'
import type { DefinedFeed, WritableTopic } from '../../sources/ownFeed/defineFeed.ts'

/** How much of a feed `testFeed` reads, and into what. */
export interface TestFeedOptions {
  /** How many batches to read and no more, for a feed that has no end. Without it the feed must end within 10,000. */
  readonly batches?: number
  /** Of the topic that the records are for; 4 unless told. */
  readonly partitions?: number
}

/** What a feed has brought, all of it, in order. */
export interface TestedFeed<T> {
  /** As the topic's codec reads them back; what it passes over is not among them. */
  readonly values: readonly T[]
  /** As they would go into the log. */
  readonly records: readonly OutgoingRecord[]
  /** The position behind each batch. */
  readonly positions: readonly string[]
}

const rules: OptionRules<TestFeedOptions> = { batches: optional.number, partitions: optional.number }
const endlessAfter = 10_000

/**
 * Reads a feed against itself: once from end to end, and once more with a restart after every batch, where each batch is also lost and read again. All
 * of it must give the same records, as it would in production. Gives what was read; nothing is stored anywhere.
 *
 * @throws DeterminismError at the first record that a restart changes, with both
 * @throws ConfigurationError where the feed has no end and `batches` is not told, or a value cannot be read back by the topic's codec; and whatever the feed throws
 */
export async function testFeed<T extends WritableTopic>(
  feed: DefinedFeed<T>,
  options: TestFeedOptions = {},
): Promise<TestedFeed<ValueOf<T['value']>>> {
  checkOptions('testFeed', options, rules)
  const batches = await straight(feed, options)
  let from: string | null = null
  for (const [index, batch] of [...batches, null].entries()) {
    if (batch === null && options.batches !== undefined) break
    for (const when of ['restarted', 'read again after a batch was lost']) {
      const reader = await open(feed, from, options)
      compare(feed.name, `${when} at ${positionText(from)}, batch ${index}`, batch, await readAndClose(reader))
    }
    from = batch?.position ?? from
  }
  const records = batches.flatMap((batch) => batch.records)
  return {
    values: records.flatMap((record) => readBack(feed, record)),
    records,
    positions: batches.map((batch) => batch.position),
  }
}

async function straight(
  feed: DefinedFeed,
  { batches: wanted, partitions }: TestFeedOptions,
): Promise<readonly FeedBatch[]> {
  const reader = await open(feed, null, { ...(partitions === undefined ? {} : { partitions }) })
  const batches: FeedBatch[] = []
  try {
    while (batches.length < (wanted ?? endlessAfter)) {
      const batch = await readOn(reader)
      if (batch === null) return batches
      batches.push(batch)
    }
  } finally {
    await reader.close()
  }
  if (wanted !== undefined) return batches
  throw new ConfigurationError(
    `testFeed: feed ${feed.name} gave ${endlessAfter} batches and did not end; say how many to read with \`batches\``,
  )
}

function open(feed: DefinedFeed, position: string | null, { partitions = 4 }: TestFeedOptions): Promise<FeedReader> {
  return feed.open(position, feedTarget(partitions))
}

/** One yield of the generator, so that a restart falls behind each. */
function readOn(reader: FeedReader): Promise<FeedBatch | null> {
  return reader.read({ maxRecords: 1, maxBytes: 1, lingerMs: 0, signal: new AbortController().signal })
}

async function readAndClose(reader: FeedReader): Promise<FeedBatch | null> {
  try {
    return await readOn(reader)
  } finally {
    await reader.close()
  }
}

function compare(feed: string, when: string, expected: FeedBatch | null, actual: FeedBatch | null): void {
  const [left, right] = [textsOf(expected), textsOf(actual)]
  for (let index = 0; index < Math.max(left.length, right.length); index++) {
    if (left[index] === right[index]) continue
    throw new DeterminismError(
      `testFeed: feed ${feed}, ${when}: record ${index} is ${right[index] ?? 'missing'}; without a restart it is ${left[index] ?? 'missing'}`,
    )
  }
  if (expected?.position === actual?.position) return
  throw new DeterminismError(
    `testFeed: feed ${feed}, ${when}: the position behind it is ${positionText(actual?.position)}; without a restart it is ${positionText(expected?.position)}`,
  )
}

function textsOf(batch: FeedBatch | null): readonly string[] {
  return batch?.records.map(recordText) ?? []
}

function recordText({ partition, timestamp, key, value, headers = [] }: OutgoingRecord): string {
  const named = headers.map((header) => ` ${header.key}=${bytesText(header.value)}`).join('')
  return `${bytesText(key)} → ${bytesText(value)} at ${timestamp}, partition ${partition}${named}`
}

function bytesText(bytes: Uint8Array | null): string {
  if (bytes === null) return 'null'
  const text = Buffer.from(bytes)
  return text.equals(Buffer.from(text.toString())) ? JSON.stringify(text.toString()) : `0x${text.toString('hex')}`
}

function positionText(position: string | null | undefined): string {
  return position == null ? 'the start' : `position ${JSON.stringify(position)}`
}

function readBack<T extends WritableTopic>(feed: DefinedFeed<T>, record: OutgoingRecord): ValueOf<T['value']>[] {
  const view = new RecordView()
  view.timestamp = record.timestamp
  view.buffer = Buffer.from(record.value ?? [])
  view.valueLength = record.value?.length ?? -1
  const value = feed.topic.value.decode(view)
  if (value instanceof Rejection) {
    throw new ConfigurationError(
      `testFeed: feed ${feed.name}: what it writes is not what topic ${feed.topic.name} reads: ${recordText(record)}: ${value.reason}, ${value.detail}`,
    )
  }
  return value === undefined ? [] : [value as ValueOf<T['value']>]
}
