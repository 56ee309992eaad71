import type { OutgoingRecord } from '../../../runtime/log/log.ts'
import { readMarker } from '../../../runtime/log/marker.ts'
import { RecordView } from '../../../runtime/log/record.ts'
import type { MemoryLog } from '../../memoryLog.ts'
import { Random } from '../../random.ts'
import { VirtualClock } from '../../virtualClock.ts'
import { randomAdversity } from '../adversity.ts'
import { differencesOf, type Outcome } from '../outcome.ts'
import { runHopWithAdversity, runOver, type SimulationOptions, type SimulationResult } from '../simulate.ts'
import {
  type AbovePlan,
  abovePipeline,
  belowPipeline,
  betweenTopic,
  furtherTopic,
  type HopPlan,
  type HopValue,
  lastPipeline,
} from './hopPipelines.ts'
import { type AboveTruth, inTimeAbove, untruthsOfRows } from './hopTruth.ts'

/** What a run of pipelines with a topic between them has come to. */
export interface HopReport {
  readonly plan: HopPlan
  /** What is not as it has to be; empty where all is. */
  readonly untruths: readonly string[]
  readonly values: number
  /** How many were late above. */
  readonly late: number
  readonly markers: number
  readonly rows: number
  readonly idleSteps: number
  readonly crashes: number
}

/**
 * Runs pipelines that write one topic, and one that reads it, with faults, crashes and takeovers of each. In the topic is each value once that was not late above, and none behind a marker that says more; each is in
 * one row below, unless its window is still open by the least of what the tasks above have come to, and none is late there. The one below gives the same when it reads the topic once more.
 */
export async function runHop(seed: number): Promise<HopReport> {
  const random = new Random(`hop ${seed}`)
  const plan = drawPlan(random)
  const values = plan.above.map((above) => drawValues(random.fork(above.name), above))
  const optionsOf = (pipeline: SimulationOptions['pipeline'], topic: string, partitions: number) => ({
    ...{ pipeline, topic, partitions, archive: null },
  })
  const below = {
    ...optionsOf(belowPipeline(plan), betweenTopic, plan.partitions),
    records: [],
    closesOpen: plan.closesOpen,
  }
  const last = {
    ...optionsOf(lastPipeline(plan), furtherTopic, plan.furtherPartitions ?? 1),
    records: [],
    closesOpen: false,
  }
  const stages = plan.furtherPartitions === null ? [below] : [below, last]
  const result = await runHopWithAdversity(
    plan.above.map((above, i) => ({
      options: {
        ...optionsOf(abovePipeline(above), `values_${above.name}`, above.partitions),
        records: (values[i] as readonly PlacedValue[]).map(recordOf),
        closesOpen: above.closesOpen,
      },
      adversity: randomAdversity(`hop ${seed} ${above.name}`),
    })),
    stages.map((options) => ({ options, adversity: randomAdversity(`hop ${seed} ${options.topic}`) })),
  )
  const truths = plan.above.map((above, i) => {
    const { store } = result.above[i] as SimulationResult
    return inTimeAbove(above, values[i] as readonly PlacedValue[], store.idleAdvances())
  })
  const content = await contentOf(result.between[0] as MemoryLog)
  const stores = result.below.map(({ store }) => store)
  const letters = stores.flatMap((store) => store.deadLetters())
  const again = await Promise.all(stages.map((stage, i) => runOver(stage, result.between[i] as MemoryLog)))
  const all = [...result.above, ...result.below]
  return {
    plan,
    untruths: [
      ...all.flatMap(({ violations }) => violations.map((one) => `! ${String(one)}`)),
      ...untruthsOfLate(result.above, truths),
      ...untruthsOfTopic(content, truths),
      ...untruthsOfRows(plan, truths, stores),
      ...letters.map(({ operator, reason, detail }) => `! below, ${operator}: ${reason}: ${detail}`),
      ...again.flatMap((outcome, i) =>
        differencesOf(withoutSent(outcome), withoutSent((result.below[i] as SimulationResult).outcome)),
      ),
    ],
    values: values.reduce((sum, one) => sum + one.length, 0),
    late: truths.reduce((sum, { late }) => sum + late.length, 0),
    markers: content.flat().filter((one) => 'watermark' in one).length,
    rows: stores.reduce((sum, store) => sum + store.rows('counts').length, 0),
    idleSteps: result.above.reduce((sum, { store }) => sum + store.idleAdvances().length, 0),
    crashes: all.reduce((sum, { crashes }) => sum + crashes, 0),
  }
}

/** A value in its topic. */
export interface PlacedValue extends HopValue {
  readonly partition: number
  readonly timestamp: number
}

function drawPlan(random: Random): HopPlan {
  const names = random.chance(0.3) ? ['web', 'shops'] : ['web']
  return {
    above: names.map((name) => ({
      name,
      partitions: random.int(1, 3),
      maxOutOfOrdernessMs: random.pick([0, 50, 400]),
      idleAfterMs: random.pick([null, null, 300, 2_000]),
      closesOpen: random.chance(0.6),
    })),
    partitions: random.int(1, 3),
    sizeMs: random.pick([100, 1_000]),
    closesOpen: random.chance(0.3),
    furtherPartitions: random.chance(0.4) ? random.int(1, 3) : null,
  }
}

function drawValues(random: Random, { name, partitions }: AbovePlan): readonly PlacedValue[] {
  const paceMs = random.pick([5, 40, 300])
  // A task that is far ahead of the others, or behind them.
  const skewMs = Array.from({ length: partitions }, () => random.pick([0, 0, 700, -3_000]))
  const isSilent = Array.from({ length: partitions }, () => random.chance(0.1))
  let now = new VirtualClock().now()
  return Array.from({ length: random.int(10, 100) }, (_, i) => {
    now += random.chance(0.03) ? 4_000 : random.int(0, paceMs)
    const partition = random.int(0, partitions - 1)
    const at = now + (skewMs[partition] ?? 0) - (random.chance(0.1) ? random.int(0, 1_500) : random.int(0, 40))
    const key = random.pick(['a', 'b', 'c', 'd', 'e', 'f'])
    return { id: `${name}.${partition}.${i}`, key, at, partition, timestamp: now }
  }).filter(({ partition }) => isSilent[partition] !== true)
}

function recordOf({ partition, timestamp, id, key, at }: PlacedValue): OutgoingRecord {
  return {
    ...{ partition, timestamp, headers: [] },
    key: Buffer.from(key),
    value: Buffer.from(JSON.stringify({ id, key, at })),
  }
}

/** What is in a partition of the topic, in its order: values, and markers by the task that they are of. */
type Entry = HopValue | { readonly task: string; readonly watermark: number | null }

async function contentOf(log: MemoryLog): Promise<readonly (readonly Entry[])[]> {
  const partitions = (await log.partitions()).map(async (partition) => {
    const entries: Entry[] = []
    const batch = await log.reader(partition).fetch({ maxBytes: 1 << 30, maxWaitMs: 0 })
    for (const view = new RecordView(); batch?.read(view) === true; ) {
      const marker = readMarker(view)
      if (marker === null) entries.push(JSON.parse(view.valueText() ?? '') as HopValue)
      else if (typeof marker === 'string') throw new Error(marker)
      else entries.push({ task: `${marker.pipeline}.${marker.task}`, watermark: marker.watermark })
    }
    return entries
  })
  return Promise.all(partitions)
}

function untruthsOfLate(above: readonly SimulationResult[], truths: readonly AboveTruth[]): readonly string[] {
  return truths.flatMap(({ late }, i) => {
    const found = (above[i] as SimulationResult).store
      .deadLetters()
      .map(({ payload }) => (JSON.parse(Buffer.from(payload ?? '').toString()) as HopValue).id)
    return unequal('late above', late, found)
  })
}

/** Each value once, and none behind a marker of its task that says that nothing of its time will come. */
function untruthsOfTopic(content: readonly (readonly Entry[])[], truths: readonly AboveTruth[]): readonly string[] {
  const sent = content.flat().flatMap((one) => ('id' in one ? [one.id] : []))
  const inTime = truths.flatMap((truth) => truth.inTime.map(({ id }) => id))
  const behind = content.flatMap((entries, partition) => {
    const marks = new Map<string, number>()
    return entries.flatMap((one) => {
      if ('watermark' in one) {
        const before = marks.get(one.task) ?? Number.NEGATIVE_INFINITY
        const now = one.watermark ?? Number.NEGATIVE_INFINITY
        marks.set(one.task, now)
        return now >= before ? [] : [`! marker of ${one.task} goes back, partition ${partition}`]
      }
      const mark = marks.get(one.id.slice(0, one.id.lastIndexOf('.'))) ?? Number.NEGATIVE_INFINITY
      return one.at > mark ? [] : [`! ${one.id} of ${one.at} stands behind the marker of ${mark}`]
    })
  })
  return [...unequal('topic', inTime, sent), ...behind]
}

/** How many markers there are, and so which number the last message has, depends on where checkpoints fall. */
function withoutSent(outcome: Outcome): Outcome {
  return new Map(
    [...outcome].flatMap(([name, lines]) =>
      name.startsWith('topic ') ? [] : [[name, lines.map((line) => line.replace(/"sent":\{[^}]*\}/, '"sent":null'))]],
    ),
  )
}

/** What is missing, and what is there that should not be, or twice. */
function unequal(what: string, expected: readonly string[], found: readonly string[]): readonly string[] {
  const left = [...found]
  const missing = expected.filter((one) => {
    const at = left.indexOf(one)
    if (at >= 0) left.splice(at, 1)
    return at < 0
  })
  return [...missing.map((one) => `- ${what}: ${one}`), ...left.map((one) => `+ ${what}: ${one}`)]
}
