import type { OutgoingRecord } from '../../../runtime/log/log.ts'
import type { MemoryCheckpointStore } from '../../memoryCheckpointStore.ts'
import { Random } from '../../random.ts'
import { randomAdversity } from '../adversity.ts'
import { runWithAdversity } from '../simulate.ts'
import { type Event, type OwnersPlan, ownersPipeline } from './ownersPipeline.ts'

/** What a run whose keys meet in several partitions has come to. */
export interface OwnersReport {
  readonly plan: OwnersPlan
  /** What is not as it has to be; empty where all is. */
  readonly untruths: readonly string[]
  /** Letters of single records of another task's rows. */
  readonly letters: number
  /** Letters of what was folded before it was known. */
  readonly held: number
  readonly rows: number
}

const topic = 'events'
const elsewhere = 'key-elsewhere'

/**
 * Runs records whose keys meet in several partitions with faults, crashes and takeovers. No row may hold what came by two partitions, and each record has to be in the row
 * of its key where the row is its partition's, and in a letter where it is not; nothing is twice, nothing nowhere.
 */
export async function runOwners(seed: number): Promise<OwnersReport> {
  const random = new Random(`owners ${seed}`)
  const plan: OwnersPlan = {
    kind: random.pick(['plain', 'window', 'window', 'windows', 'windows']),
    sizeMs: random.pick([100, 1_000]),
    allowedLatenessMs: random.pick([0, 0, 300]),
    maxOutOfOrdernessMs: random.pick([0, 50]),
    provisionalEveryMs: random.pick([null, 0, 250]),
  }
  const partitions = random.int(2, 3)
  const events = drawEvents(random.fork('events'), partitions)
  const { store, violations } = await runWithAdversity(
    {
      pipeline: ownersPipeline(plan),
      topic,
      partitions,
      records: events.map(recordOf),
      archive: null,
      closesOpen: true,
    },
    randomAdversity(`owners ${seed}`),
  )
  const letters = store.deadLetters().filter(({ reason }) => reason === elsewhere)
  return {
    plan,
    untruths: [
      ...violations.map((violation) => `! ${String(violation)}`),
      ...untruthsOfOwners(store, 'groups'),
      ...(plan.kind === 'windows' ? untruthsOfLarge(store) : []),
      ...untruthsOfRecords(plan, store, events),
    ],
    letters: letters.filter(({ payload }) => payload !== null).length,
    held: letters.filter(({ payload }) => payload === null).length,
    rows: store.rows('groups').length,
  }
}

interface PlacedEvent extends Event {
  readonly partition: number
  readonly timestamp: number
}

function drawEvents(random: Random, partitions: number): readonly PlacedEvent[] {
  const names = random.pick([['a'], ['a', 'b'], ['a', 'b', 'c', 'd', 'e']])
  const sharedChance = random.pick([0.1, 0.5, 1])
  const paceMs = random.pick([5, 40, 300])
  let now = 1_000_000
  return Array.from({ length: random.int(20, 120) }, (_, i) => {
    now += random.chance(0.03) ? 2_000 : random.int(0, paceMs)
    const partition = random.int(0, partitions - 1)
    const name = random.pick(names)
    const key = random.chance(sharedChance) ? name : `${name}${partition}`
    const at = now - (random.chance(0.1) ? random.int(0, 1_500) : random.int(0, 40))
    return { partition, key, at, id: `${partition}.${i}`, timestamp: now }
  })
}

function recordOf({ partition, timestamp, key, at, id }: PlacedEvent): OutgoingRecord {
  const value = Buffer.from(JSON.stringify({ key, at, id }))
  return { partition, timestamp, key: Buffer.from(key), value, headers: [] }
}

interface OwnedRow {
  readonly name: string
  readonly ids: readonly string[]
  readonly partition: number
}

function ownedRows(store: MemoryCheckpointStore, table: string): readonly OwnedRow[] {
  const owners = store.owners(table)
  return store.rows(table).map(({ key, start, ids }, i) => ({
    name: `${table} ${key} ${start}`,
    ids: idsOf(String(ids)),
    partition: owners[i]?.partition ?? -1,
  }))
}

function idsOf(text: string): readonly string[] {
  return text === '' ? [] : text.split(' ')
}

function partitionOf(id: string): number {
  return Number(id.split('.')[0])
}

function untruthsOfOwners(store: MemoryCheckpointStore, table: string): readonly string[] {
  return ownedRows(store, table).flatMap(({ name, ids, partition }) =>
    ids.filter((id) => partitionOf(id) !== partition).map((id) => `! ${name} of partition ${partition} holds ${id}`),
  )
}

/** A larger row holds what smaller rows of the same partition hold, and nothing else. */
function untruthsOfLarge(store: MemoryCheckpointStore): readonly string[] {
  const small = new Set(ownedRows(store, 'groups').flatMap(({ ids }) => ids))
  const strays = ownedRows(store, 'large').flatMap(({ name, ids }) =>
    ids.filter((id) => !small.has(id)).map((id) => `! ${name} holds ${id}, which no smaller row does`),
  )
  return [...untruthsOfOwners(store, 'large'), ...strays]
}

function untruthsOfRecords(plan: OwnersPlan, store: MemoryCheckpointStore, events: readonly PlacedEvent[]) {
  const places = new Map<string, string[]>(events.map(({ id }) => [id, []]))
  const note = (id: string, place: string) => places.get(id)?.push(place)
  const rows = ownedRows(store, 'groups')
  for (const { name, ids } of rows) for (const id of ids) note(id, name)
  for (const { operator, reason, payload, detail } of store.deadLetters()) {
    // Of a correction that a record has made, which is in the smaller row.
    if (operator === 'large') continue
    if (payload !== null) note((JSON.parse(Buffer.from(payload).toString()) as Event).id, `letter ${reason}`)
    else if (reason === elsewhere && operator === 'fold-small') {
      for (const [id] of (/"ids":\[([^\]]*)\]/.exec(detail)?.[1] ?? '').matchAll(/\d+\.\d+/g)) note(id, 'held')
    }
  }
  if (plan.kind === 'plain') return untruthsOfPlain(rows, events, places)
  return [...places].flatMap(([id, found]) =>
    found.length === 1 ? [] : [`! ${id} is in: ${found.join(', ') || 'nothing'}`],
  )
}

/** The last record of a key replaces those before. */
function untruthsOfPlain(
  rows: readonly OwnedRow[],
  events: readonly PlacedEvent[],
  places: ReadonlyMap<string, readonly string[]>,
): readonly string[] {
  return events.flatMap(({ key, id, partition }) => {
    const owner = rows.find(({ name }) => name === `groups ${key} 0`)?.partition
    const letters = (places.get(id) ?? []).filter((place) => place.startsWith('letter')).length
    const expected = owner === partition ? 0 : 1
    return letters === expected ? [] : [`! ${id} of ${key}, whose row is partition ${owner}'s, has ${letters} letters`]
  })
}
