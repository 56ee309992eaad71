import type { OutgoingRecord } from '../../../runtime/log/log.ts'
import { redriveHeader } from '../../../runtime/log/record.ts'
import type { Random } from '../../random.ts'
import type { LoggedRecord } from '../merges/mergedOrder.ts'
import { isGap, type SimulatedRecord } from '../simulate.ts'
import type { Item } from './item.ts'
import { decoderOf, type GraphPlan, operatorsOf, outletsOf } from './plan.ts'

export interface GraphInput {
  /** Of the leading input. */
  readonly records: readonly SimulatedRecord[]
  /** Of the other inputs, in their order. */
  readonly others: readonly (readonly SimulatedRecord[])[]
  /** Of the leading input. */
  readonly partitions: number
  /** Of the other inputs, in their order. */
  readonly otherPartitions: readonly number[]
  readonly redrives: number
  /** Places where offsets have no record. */
  readonly gaps: number
}

export interface GraphInputOptions {
  readonly hasRedrives: boolean
  /** Whether offsets may have no record. */
  readonly hasGaps: boolean
  readonly partitions: number
  /** Event time of the first record, ms UTC. */
  readonly startMs: number
}

/** Records as unkind as they come: out of order, late, leaping ahead, repeated, broken, and some that were set aside and are sent again. */
export function drawInput(random: Random, plan: GraphPlan, options: GraphInputOptions): GraphInput {
  const lead = drawRecords(random, plan, 0, options)
  const otherPartitions = plan.others.map(({ isWhole }, i) =>
    plan.isOneTask || isWhole ? random.fork(`partitions ${i}`).int(1, 3) : options.partitions,
  )
  const others = plan.others.map((_, i) =>
    drawRecords(random.fork(`other ${i}`), plan, i + 1, options, otherPartitions[i]),
  )
  return {
    records: lead.records,
    others: others.map(({ records }) => records),
    partitions: options.partitions,
    otherPartitions,
    redrives: [lead, ...others].reduce((sum, { redrives }) => sum + redrives, 0),
    gaps: [lead, ...others].reduce((sum, { records }) => sum + records.filter(isGap).length, 0),
  }
}

function drawRecords(
  random: Random,
  plan: GraphPlan,
  input: number,
  options: GraphInputOptions,
  partitions = options.partitions,
) {
  const { startMs, hasRedrives, hasGaps } = options
  const isSpread = input > 0 && (plan.isOneTask || plan.others[input - 1]?.isWhole === true)
  const gapChance = hasGaps ? random.pick([0, 0.03, 0.2]) : 0
  const redriveChance = hasRedrives ? random.pick([0, 0.05, 0.1]) : 0
  const paceMs = plan.idleAfterMs === null ? random.pick([20, 100, 1_000, 5_000]) : random.pick([40, 100])
  const disorderMs = random.pick([0, 50, 1_500])
  const names = random.pick([['a'], ['a', 'b'], ['a', 'b', 'c', 'd']])
  const targets = [
    decoderOf(plan, input),
    ...operatorsOf(plan),
    ...outletsOf(plan.root).map(({ name }) => `outlet ${name}`),
    'nobody',
  ]
  const records: OutgoingRecord[] = []
  const log: SimulatedRecord[] = []
  const ids = new Map<string, number>()
  let redrives = 0
  let now = startMs

  function itemAt(key: string): Item {
    const id = (ids.get(key) ?? 0) + random.int(0, 2)
    ids.set(key, id)
    const at = timeOf()
    return {
      key,
      id: random.chance(0.02) ? id + 0.5 : id,
      at: random.chance(0.02) ? at + 0.5 : at,
      n: random.int(0, 99),
      revision: 0,
      count: 1,
    }
  }

  function timeOf(): number {
    if (random.chance(0.03)) return now + random.pick([5_000, 90_000, 10_000_000])
    if (random.chance(0.06)) return now - random.pick([3_000, 30_000, 200_000])
    return now - random.int(0, disorderMs)
  }

  const add = (record: OutgoingRecord) => {
    records.push(record)
    log.push(record)
  }

  const table = plan.others[input - 1]?.table ?? null
  // Changes of a table come before everything, or for as long as the others do, or in the end.
  if (table !== null) now += random.pick([0, -60_000, 2_000])
  for (let left = input === 0 ? random.int(30, 130) : random.int(0, 70); left > 0; left--) {
    now += random.chance(0.02) ? random.pick([3_000, 120_000]) : random.int(0, paceMs)
    const partition = random.int(0, partitions - 1)
    const before = records.filter((record) => record.partition === partition)
    const timestamp = Math.floor(now)
    if (random.chance(gapChance)) log.push({ partition, timestamp, skips: random.int(1, 4) })
    if (before.length > 0 && random.chance(redriveChance)) {
      redrives += 1
      add({
        ...random.pick(before),
        headers: [{ key: redriveHeader, value: Buffer.from(random.pick(targets)) }],
      })
    } else if (before.length > 0 && random.chance(0.1)) add({ ...random.pick(before), headers: [], timestamp })
    else {
      // Of what is read whole, the records of a key may be in any partition.
      const owner = isSpread ? random.int(0, options.partitions - 1) : partition
      const key = `${owner}${random.pick(names)}`
      const headers = random.chance(0.05) ? [{ key: 'trace', value: Buffer.from([0xff, left]) }] : []
      add({ partition, timestamp, key: Buffer.from(key), value: bytesOf(random, itemAt(key)), headers })
    }
  }
  if (random.chance(gapChance * 2))
    log.push({ partition: random.int(0, partitions - 1), timestamp: Math.floor(now), skips: 2 })
  return { records: log, redrives }
}

function bytesOf(random: Random, item: Item): Buffer | null {
  if (random.chance(0.01)) return null
  const text = JSON.stringify(item)
  return Buffer.from(random.chance(0.03) ? text.slice(0, -3) : text)
}

/** The records of a partition at their offsets. */
export function placed(records: readonly SimulatedRecord[], partition: number): readonly LoggedRecord[] {
  let offset = 0
  return records.flatMap((record) => {
    if (record.partition !== partition) return []
    const at = offset
    offset += isGap(record) ? record.skips : 1
    return isGap(record) ? [] : [{ offset: at, record }]
  })
}
