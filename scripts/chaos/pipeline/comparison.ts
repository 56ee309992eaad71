import type { RecordHeader } from '../../../src/runtime/log/record.ts'
import { readArchiveObject } from '../../../src/sinks/archive/readArchiveObject.ts'
import { outgoingPartition } from '../../../src/sources/outgoingPartition.ts'
import { differencesOf, type Outcome } from '../../../src/testing/simulation/outcome.ts'
import type { LogRecord } from './logRecords.ts'
import type { Received } from './receiverProcess.ts'
import type { Decided } from './replay.ts'

/** An object that a manifest names. */
export interface ManifestEntry {
  readonly topic: string
  readonly partition: number
  readonly key: string
}

/** What the objects that the manifest names hold, against the topic that they were made of: each record of it once, byte for byte. */
export function archiveDifferences(
  topic: string,
  log: readonly LogRecord[],
  manifest: readonly ManifestEntry[],
  objects: ReadonlyMap<string, Buffer>,
): string[] {
  const archived = manifest
    .filter((entry) => entry.topic === topic)
    .flatMap(({ partition, key }) =>
      [...readArchiveObject(objects.get(key) ?? new Uint8Array())].map(
        ({ offset, timestamp, key, value }) => `${partition}/${offset} ${lineOf({ timestamp, key, value })}`,
      ),
    )
  const written = log.map((record) => `${record.partition}/${record.offset} ${lineOf(record)}`)
  return differencesOf(new Map([[`archive of ${topic}`, written]]), new Map([[`archive of ${topic}`, archived]]))
}

/** What a topic holds, against what an outlet has decided on: the same records in the same partitions, those of a key in their order. */
export function topicDifferences(
  topic: string,
  log: readonly LogRecord[],
  decided: readonly Decided[],
  partitions: number,
): string[] {
  const placed = decided.map(({ key, partition, time, value, headers = [] }) => ({
    ...{ key, value, headers, timestamp: time },
    partition: outgoingPartition(key, partition, partitions),
  }))
  return differencesOf(byKey(topic, placed), byKey(topic, log))
}

/** What a receiver of webhooks has seen, against what an outlet has decided on: each id, none else, and the same body whenever it came. */
export function webhookDifferences(outlet: string, received: Received, decided: readonly Decided[]): string[] {
  const wanted = decided.map(({ id, value }) => `${id} ${text(value)}`)
  const seen = received.bodies
    .filter(([id]) => id.split('/')[3] === outlet)
    .flatMap(([id, bodies]) => bodies.map((body) => `${id} ${body}`))
  return differencesOf(new Map([[`webhook ${outlet}`, wanted]]), new Map([[`webhook ${outlet}`, seen]]))
}

interface Content {
  readonly timestamp: number
  readonly key: Uint8Array | null
  readonly value: Uint8Array | null
  readonly headers?: readonly RecordHeader[]
}

/** A line for each record, with its number among those of its key. */
function byKey(topic: string, records: readonly (Content & { readonly partition: number })[]): Outcome {
  const counts = new Map<string, number>()
  const lines = records.map((record) => {
    const place = `${record.partition} ${text(record.key)}`
    const number = (counts.get(place) ?? 0) + 1
    counts.set(place, number)
    return `${place} #${number} ${lineOf(record)}`
  })
  return new Map([[`topic ${topic}`, lines]])
}

function lineOf({ timestamp, key, value, headers = [] }: Content): string {
  const shown = headers.map((header) => `${header.key}=${text(header.value)}`)
  return [timestamp, text(key), text(value), ...shown].join(' ')
}

function text(bytes: Uint8Array | null): string {
  return bytes === null ? 'null' : Buffer.from(bytes).toString('latin1')
}
