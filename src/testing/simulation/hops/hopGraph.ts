import type { OutgoingRecord } from '../../../runtime/log/log.ts'
import { isMarkerHeader } from '../../../runtime/log/marker.ts'
import { mostAhead } from '../../../runtime/log/readAhead.ts'
import { RecordView } from '../../../runtime/log/record.ts'
import type { MemoryLog } from '../../memoryLog.ts'
import { Random } from '../../random.ts'
import { randomAdversity } from '../adversity.ts'
import { drawPlan } from '../graphs/drawPlan.ts'
import { drawInput, type GraphInput } from '../graphs/graphInput.ts'
import { graphDifferences } from '../graphs/graphOutcome.ts'
import { untruthsOfGraph } from '../graphs/model.ts'
import { describePlan, type GraphPlan, isOutlet, type OutletPlan, outletsOf, type Stretch } from '../graphs/plan.ts'
import { Calls, optionsOf, orderOf, pipelineOf } from '../graphs/runGraph.ts'
import { text } from '../lineText.ts'
import type { Outcome } from '../outcome.ts'
import { runHopWithAdversity, runOver, runReplay, type SimulatedStart, type SimulationResult } from '../simulate.ts'

/** What a random graph has come to whose topic another one reads. */
export interface HopGraphReport {
  /** What is not as it has to be, both graphs first; empty where all is. */
  readonly untruths: readonly string[]
  readonly values: number
  readonly markers: number
  /** How many values were set aside below. */
  readonly letters: number
  readonly crashes: number
}

/** When the virtual clock starts, so that event time and the clock go about together. */
const startMs = Date.UTC(2024, 7, 9)
const between = 'between'

/**
 * Runs a random graph that sends into a topic with markers, and another one that reads the topic by them, side by side, with faults, crashes and takeovers of each. Both are held against a replay without
 * any, and against a model: what came into the topic is what the records above make, and what came of it below is what its values and its markers make.
 */
export async function runHopGraph(seed: number): Promise<HopGraphReport> {
  const random = new Random(`hop graph ${seed}`)
  const hopPartitions = random.int(1, 3)
  const above = drawAbove(random, hopPartitions)
  const belowPlan = drawPlan(random.fork('below'), { isForTask: true, hop: 'below' })
  const closes = { above: random.chance(0.2), below: random.chance(0.7) }
  const graphs = {
    above: { plan: above.plan, input: above.input, closesOpen: closes.above, archive: noArchive },
    below: { plan: belowPlan, input: emptyInput(hopPartitions), closesOpen: closes.below, archive: noArchive },
  }
  const runOf = (name: 'above' | 'below') => {
    const calls = new Calls(`hop calls ${name} ${seed}`, 4)
    return {
      ...optionsOf(graphs[name], (start) => pipelineOf(graphs[name].plan, 1, calls, start)),
      topic: name === 'below' ? between : 'items',
    }
  }
  const result = await runHopWithAdversity(
    [{ options: runOf('above'), adversity: randomAdversity(`hop graph above ${seed}`) }],
    [{ options: runOf('below'), adversity: randomAdversity(`hop graph below ${seed}`) }],
  )
  const [ofAbove, ofBelow] = [result.above[0] as SimulationResult, result.below[0] as SimulationResult]
  const log = result.between[0] as MemoryLog
  const records = await recordsOf(log)
  const values = records.filter(({ headers }) => headers?.some(isMarkerHeader) !== true)
  const replayOf = (name: 'above' | 'below') => ({
    ...optionsOf(graphs[name], (start: SimulatedStart) =>
      pipelineOf(graphs[name].plan, 1, new Calls('none', 0), start),
    ),
    topic: name === 'below' ? between : 'items',
  })
  const recorded = (store: SimulationResult['store']) => ({ pipeline: 'graph', store, mostAhead })
  const againAbove = await runReplay(replayOf('above'), recorded(ofAbove.store))
  const againBelow = await runOver(replayOf('below'), log, recorded(ofBelow.store))
  const sent = values.map(({ partition, timestamp, key, value, headers }) =>
    text({ partition, time: timestamp, key, value, headers }),
  )
  const whole = new Map([...againAbove, [`topic ${between}`, sent]])
  const belowInput = { ...graphs.below.input, records }
  const differences = [
    ...graphDifferences(graphs.above, withoutHop(againAbove), withoutHop(ofAbove.outcome)).map(isOf('above')),
    ...untruthsOfGraph(graphs.above, await orderOf(graphs.above, ofAbove.store), whole, closes.above).map(
      isOf('above'),
    ),
    ...graphDifferences({ ...graphs.below, input: belowInput }, againBelow, ofBelow.outcome).map(isOf('below')),
    // An end that is said by markers closes what is open at no time of which the model knows.
    ...(closes.above
      ? []
      : untruthsOfGraph(
          { ...graphs.below, input: belowInput },
          await orderOf({ plan: belowPlan, input: belowInput }, ofBelow.store),
          againBelow,
          closes.below,
        ).map(isOf('below'))),
    ...[ofAbove, ofBelow].flatMap(({ violations }) => violations.map((one) => `! ${String(one)}`)),
  ]
  return {
    untruths:
      differences.length === 0 ? [] : [`  ${describePlan(above.plan)}`, `  ${describePlan(belowPlan)}`, ...differences],
    values: values.length,
    markers: records.length - values.length,
    letters: ofBelow.store.deadLetters().length,
    crashes: ofAbove.crashes + ofBelow.crashes,
  }
}

const noArchive = { maxRecords: 1, maxBytes: 1, maxPendingBytes: 1, maxUploads: 1 }

/** A graph with a topic among its outlets, which becomes the one between. */
function drawAbove(random: Random, hopPartitions: number): { readonly plan: GraphPlan; readonly input: GraphInput } {
  for (let attempt = 0; ; attempt++) {
    const drawn = drawPlan(random.fork(`above ${attempt}`), { isForTask: true, hop: 'above' })
    const hop = outletsOf(drawn.root).find(({ into }) => into === 'topic')
    if (hop === undefined) continue
    const root = withOutlets(drawn.root, (outlet) => {
      if (outlet.into !== 'topic') return outlet
      const { takesBackOn: _, ...rest } = outlet
      return outlet === hop
        ? { ...rest, name: between, badColumn: null, hopPartitions }
        : { ...outlet, into: 'outside' }
    })
    const plan = { ...drawn, root, archived: [] }
    const partitions = random.int(1, 3)
    return {
      plan,
      input: drawInput(random.fork('input'), plan, { startMs, partitions, hasRedrives: false, hasGaps: true }),
    }
  }
}

function withOutlets({ steps, end }: Stretch, change: (outlet: OutletPlan) => OutletPlan): Stretch {
  return { steps, end: isOutlet(end) ? change(end) : end.map((stretch) => withOutlets(stretch, change)) }
}

function emptyInput(partitions: number): GraphInput {
  return { records: [], others: [], partitions, otherPartitions: [], redrives: 0, gaps: 0 }
}

async function recordsOf(log: MemoryLog): Promise<readonly OutgoingRecord[]> {
  const records: OutgoingRecord[] = []
  for (const partition of await log.partitions()) {
    const batch = await log.reader(partition).fetch({ maxBytes: 1 << 30, maxWaitMs: 0 })
    for (const view = new RecordView(); batch?.read(view) === true; ) {
      const [key, value] = [view.keyCopy(), view.valueCopy()]
      records.push({ partition, timestamp: view.timestamp, key, value, headers: view.headers() })
    }
  }
  return records
}

/** How many markers there are, and so which number a message has, depends on where checkpoints fall; what is in the topic is looked at by itself. */
function withoutHop(outcome: Outcome): Outcome {
  return new Map(
    [...outcome].flatMap(([name, lines]) =>
      name === `topic ${between}` ? [] : [[name, lines.map((line) => line.replace(/"sent":\{[^}]*\}/, '"sent":null'))]],
    ),
  )
}

function isOf(which: string): (line: string) => string {
  return (line) => `${line.slice(0, 2)}${which}: ${line.slice(2)}`
}
