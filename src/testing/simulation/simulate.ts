import { BadRowError } from '../../runtime/badRow.ts'
import type { Clock } from '../../runtime/clock.ts'
import type { Destination } from '../../runtime/log/destination.ts'
import type { LogSource, OutgoingRecord } from '../../runtime/log/log.ts'
import type { ObjectStore } from '../../runtime/objectStore.ts'
import type { Outlets, Pipeline } from '../../runtime/pipeline/pipeline.ts'
import type { Archive } from '../../runtime/store/archive.ts'
import type { CheckpointStore } from '../../runtime/store/checkpoint.ts'
import { defaultLimits } from '../../runtime/task/workerLimits.ts'
import { Worker } from '../../runtime/worker/worker.ts'
import { type RawArchiveOptions, rawArchive } from '../../sinks/archive/rawArchive.ts'
import { type FaultKind, type Faults, seededFaults } from '../faults/faults.ts'
import { faultyCheckpointStore, Zombies } from '../faults/faultyCheckpointStore.ts'
import { faultyLog } from '../faults/faultyLog.ts'
import { faultyObjectStore } from '../faults/faultyObjectStore.ts'
import { faultyDestination, faultyTopic } from '../faults/faultySending.ts'
import { SimulatedProcess } from '../faults/simulatedProcess.ts'
import { MemoryCheckpointStore } from '../memoryCheckpointStore.ts'
import { MemoryLog } from '../memoryLog.ts'
import { MemoryObjectStore } from '../memoryObjectStore.ts'
import { Random } from '../random.ts'
import { VirtualClock } from '../virtualClock.ts'
import type { Adversity } from './adversity.ts'
import { type Outcome, readOutcome } from './outcome.ts'
import { Receivers } from './receivers.ts'

/** How large the objects of the archive become, and how much a task may hold of them. */
export type ArchiveLimits = Pick<RawArchiveOptions, 'maxRecords' | 'maxBytes' | 'maxPendingBytes' | 'maxUploads'>

/** One start of a worker in a simulation. */
export interface SimulatedStart {
  /** Ends with the process: what sleeps on it in a crash never wakes. */
  readonly clock: Clock
  /** How many starts there were before. */
  readonly number: number
  /** A destination outside that keeps no place. */
  destination(name: string): Destination
}

/** Offsets of a log that have no record, as compaction leaves them; they come at the `timestamp`. */
export interface Gap {
  readonly partition: number
  readonly timestamp: number
  readonly skips: number
}

/** A record of a log, or that there is none. */
export type SimulatedRecord = OutgoingRecord | Gap

/** A log beside the leading one: its `topic` and its `records`, in order. */
export interface SimulatedLog {
  readonly topic: string
  readonly records: readonly SimulatedRecord[]
  /** How many partitions it has; as many as the leading one if left out. */
  readonly partitions?: number
}

/** What is simulated: a pipeline over a log, with its archive. */
export interface SimulationOptions {
  /** Made anew at each start where it is a function. */
  readonly pipeline: Pipeline<Outlets> | ((start: SimulatedStart) => Pipeline<Outlets>)
  readonly topic: string
  /** The logs of the other inputs, in their order; none if left out. */
  readonly others?: readonly SimulatedLog[]
  /** How many partitions the log has, and each of the others that does not say. */
  readonly partitions: number
  /** How many tasks that makes; one a partition if left out. */
  readonly tasks?: number
  /** The log's records, in order. */
  readonly records: readonly SimulatedRecord[]
  /** Where objects of the archive end, or null for a pipeline without one. */
  readonly archive: ArchiveLimits | null
  /** True: at the end of the records everything that is still open is closed. */
  readonly closesOpen: boolean
}

/** What a run with adversity has come to: its `outcome`, to be held against that of `runUninterrupted`, and what it went through. */
export interface SimulationResult {
  readonly outcome: Outcome
  /** What the worker's checkpoints were stored in. */
  readonly store: MemoryCheckpointStore
  /** How often a worker was started. */
  readonly starts: number
  /** How often each kind of fault has struck. */
  readonly faults: ReadonlyMap<FaultKind, number>
  /** How many processes died of a fault. */
  readonly crashes: number
  /** How many times a second worker took over from one that still ran. */
  readonly takeovers: number
  /** How many orderly stops there were. */
  readonly restarts: number
  /** How many commits of older generations came late and were turned away. */
  readonly zombiesFenced: number
  /** How many messages came more than once to a destination that keeps no place. */
  readonly repeats: number
  /** What a store did against its contract, or what was sent that should not have been. */
  readonly violations: readonly unknown[]
}

/** A run that went before, whose steps of time another one takes where they were taken. */
export interface RecordedRun {
  readonly pipeline: string
  readonly store: CheckpointStore
  /** So many records the other one reads ahead. */
  readonly mostAhead: number
}

/** Runs the real worker over the records, without a fault, in virtual time. */
export function runUninterrupted(options: SimulationOptions): Promise<Outcome> {
  return runOnce(options, new MemoryCheckpointStore())
}

/** Runs it without a fault as a replay of a run that went before, into a store of its own. */
export function runReplay(options: SimulationOptions, recorded: RecordedRun): Promise<Outcome> {
  return runOnce(options, new MemoryCheckpointStore(), recorded)
}

async function runOnce(
  options: SimulationOptions,
  store: MemoryCheckpointStore,
  recorded?: RecordedRun,
  source?: MemoryLog,
): Promise<Outcome> {
  const clock = new VirtualClock()
  const log = source ?? new MemoryLog({ topic: options.topic, partitions: options.partitions, clock })
  const objects = new MemoryObjectStore()
  const receivers = new Receivers(clock)
  append(log, options.records)
  const others = (options.others ?? []).map(({ topic, records, partitions = options.partitions }) => {
    const other = new MemoryLog({ topic, partitions, clock })
    append(other, records)
    return other
  })
  const worker = new Worker({
    pipeline: pipelineAt(options, { clock, number: 0, destination: (name) => receivers.destination(name) }),
    source: log,
    others,
    openTopic: async (name) => receivers.topic(name),
    store: receivers.listeningTo(recorded === undefined ? store : withStepsOf(recorded.store, store)),
    ...(recorded === undefined ? {} : { replayOf: recorded.pipeline }),
    archive:
      options.archive === null ? null : rawArchive({ ...options.archive, store: objects, compression: 'inline' }),
    clock,
    limits: defaultLimits,
    mostAhead: recorded?.mostAhead ?? 1,
  })
  const running = worker.run()
  worker.stop(options.closesOpen ? 'drain-and-close' : 'drain')
  await clock.run(running)
  return readOutcome(store, objects, receivers)
}

/** Runs the same with faults, crashes and restarts until all of it is done. The seed decides everything. */
export async function runWithAdversity(options: SimulationOptions, adversity: Adversity): Promise<SimulationResult> {
  const clock = new VirtualClock()
  const world = new World(options, adversity, clock)
  await clock.run(world.live())
  return world.result()
}

/** A pipeline of a hop, and what goes wrong in it. */
export interface HopStage {
  readonly options: SimulationOptions
  readonly adversity: Adversity
}

/** What pipelines have come to that had one topic between them. */
export interface HopResult {
  readonly above: readonly SimulationResult[]
  /** The pipelines below, each reading what the one before it has written. */
  readonly below: readonly SimulationResult[]
  /** The topics that they read, as they were at the end. */
  readonly between: readonly MemoryLog[]
}

/**
 * Runs pipelines that write one topic, the one that reads it, and so on where that one writes one too, side by side in one virtual time, each with faults, crashes and restarts of its own, until
 * all of it is done. One below reads to the end once those above have sent all.
 */
export async function runHopWithAdversity(above: readonly HopStage[], below: readonly HopStage[]): Promise<HopResult> {
  const clock = new VirtualClock()
  const between = below.map(({ options: { topic, partitions } }) => new MemoryLog({ topic, partitions, clock }))
  const worldOf = ({ options, adversity }: HopStage, joined: Between) => new World(options, adversity, clock, joined)
  const writers = above.map((stage) => worldOf(stage, { target: between[0] as MemoryLog }))
  let isFed: Promise<void> = Promise.all(writers.map((writer) => writer.live())).then(() => undefined)
  const readers = below.map((stage, i) => {
    const target = between[i + 1]
    const reader = worldOf(stage, {
      ...{ source: between[i] as MemoryLog, isFed },
      ...(target === undefined ? {} : { target }),
    })
    isFed = reader.live()
    return reader
  })
  await clock.run(isFed)
  return {
    above: await Promise.all(writers.map((writer) => writer.result())),
    below: await Promise.all(readers.map((reader) => reader.result())),
    between,
  }
}

/** Runs a pipeline without a fault over a log that is there already, as a replay of a run that went before where there was one. */
export function runOver(options: SimulationOptions, log: MemoryLog, recorded?: RecordedRun): Promise<Outcome> {
  return runOnce(options, new MemoryCheckpointStore(), recorded, log)
}

function pipelineAt({ pipeline }: SimulationOptions, start: SimulatedStart): Pipeline<Outlets> {
  return typeof pipeline === 'function' ? pipeline(start) : pipeline
}

function append(log: MemoryLog, records: readonly SimulatedRecord[]): void {
  let from = 0
  for (const [at, record] of records.entries()) {
    if (!isGap(record)) continue
    log.add(...(records.slice(from, at) as readonly OutgoingRecord[]))
    log.skip(record.partition, record.skips)
    from = at + 1
  }
  log.add(...(records.slice(from) as readonly OutgoingRecord[]))
}

export function withoutGaps(records: readonly SimulatedRecord[]): readonly OutgoingRecord[] {
  return records.filter((record): record is OutgoingRecord => !isGap(record))
}

export function isGap(record: SimulatedRecord): record is Gap {
  return 'skips' in record
}

/** The store with what another one holds of steps of time. */
function withStepsOf(recorded: CheckpointStore, store: CheckpointStore): CheckpointStore {
  return {
    claim: (task) => store.claim(task),
    commit: (claim, checkpoint) => store.commit(claim, checkpoint),
    recordedSteps: (task, after, limit) => recorded.recordedSteps(task, after, limit),
    mergeNotes: (...asked) => recorded.mergeNotes(...asked),
    answers: (...asked) => recorded.answers(...asked),
    outbox: store.outbox,
    close: () => store.close(),
  }
}

interface Start {
  readonly process: SimulatedProcess
  readonly worker: Worker
  /** Resolves with how it ended. */
  readonly ended: Promise<'ended' | 'crashed'>
}

/** What a world has in common with another: the topic between their pipelines. */
interface Between {
  /** Read instead of a log of its own, into which nothing comes any more once it is fed. */
  readonly source?: MemoryLog
  readonly isFed?: Promise<void>
  /** Written by its outlets. */
  readonly target?: MemoryLog
}

class World {
  readonly #between: Between
  readonly #options: SimulationOptions
  readonly #adversity: Adversity
  readonly #clock: VirtualClock
  readonly #random: Random
  readonly #faults: Faults
  readonly #log: MemoryLog
  readonly #others: readonly MemoryLog[]
  readonly #store = new MemoryCheckpointStore()
  readonly #objects = new MemoryObjectStore()
  readonly #receivers: Receivers
  readonly #zombies = new Zombies()
  readonly #violations: unknown[] = []
  #isAppended = false
  #crashes = 0
  #takeovers = 0
  #restarts = 0
  #starts = 0

  constructor(options: SimulationOptions, adversity: Adversity, clock: VirtualClock, between: Between = {}) {
    this.#between = between
    this.#options = options
    this.#adversity = adversity
    this.#clock = clock
    this.#receivers = new Receivers(clock)
    this.#random = new Random(adversity.seed)
    this.#faults = seededFaults(this.#random.fork('faults'), { rates: adversity.rates, limit: adversity.faultLimit })
    const batches = this.#random.fork('batches')
    const logOf = (topic: string, partitions = options.partitions) =>
      new MemoryLog({
        topic,
        partitions,
        batchRecords: batches.int(1, 50),
        fetchRecords: () => batches.int(1, 60),
        clock,
      })
    this.#log = between.source ?? logOf(options.topic)
    this.#others = (options.others ?? []).map(({ topic, partitions }) => logOf(topic, partitions))
  }

  async live(): Promise<void> {
    const appending = this.#append(this.#random.fork('append'))
    const life = this.#random.fork('life')
    for (;;) {
      if ((await this.#oneLife(life)) === 'finished') break
      await this.#clock.sleep(life.int(0, 500))
    }
    await appending
    // What dead processes had under way may still arrive; the outcome must not depend on it.
    await this.#clock.sleep(60_000)
  }

  async result(): Promise<SimulationResult> {
    return {
      outcome: await readOutcome(this.#store, this.#objects, this.#receivers),
      store: this.#store,
      starts: this.#starts,
      faults: this.#faults.counts,
      crashes: this.#crashes,
      takeovers: this.#takeovers,
      restarts: this.#restarts,
      zombiesFenced: this.#zombies.fenced,
      repeats: this.#receivers.repeats,
      violations: [...this.#violations, ...this.#receivers.violations],
    }
  }

  async #append(random: Random): Promise<void> {
    await this.#between.isFed
    const { records, others = [] } = this.#options
    const left = [records, ...others.map((other) => other.records)].map((all, i) => ({
      log: i === 0 ? this.#log : (this.#others[i - 1] as MemoryLog),
      all,
      at: 0,
    }))
    for (;;) {
      const open = left.filter(({ all, at }) => at < all.length)
      if (open.length === 0) break
      const timeOf = ({ all, at }: (typeof left)[number]) => all[at]?.timestamp ?? 0
      // About in the order of time, as producers write, but some are ahead of others.
      const due = open.reduce((least, one) => (timeOf(one) < timeOf(least) ? one : least))
      const next = open.length === 1 || random.chance(0.7) ? due : random.pick(open)
      const count = random.int(1, this.#adversity.appendRecords)
      append(next.log, next.all.slice(next.at, next.at + count))
      next.at += count
      if (random.chance(0.5)) await this.#clock.sleep(random.int(0, 400))
    }
    this.#isAppended = true
  }

  /** From a start to a crash, an orderly stop, or the end of the work. */
  async #oneLife(life: Random): Promise<'finished' | 'again'> {
    let current = this.#start()
    let older: Start | null = null
    let isEnding = false
    for (;;) {
      const event = await Promise.race([
        current.ended,
        this.#clock.sleep(life.int(50, 1_000)).then(() => 'time' as const),
      ])
      if (event === 'crashed') {
        this.#crashes++
        return 'again'
      }
      const isFenced = current.worker.status().some(({ phase }) => phase === 'fenced')
      if (event === 'ended' && !isFenced) {
        // A partition that was away when the end came is for the next start.
        const { partitions, tasks = partitions } = this.#options
        if (isEnding) return current.worker.status().length === tasks ? 'finished' : 'again'
        throw new Error('the worker ended although nobody had asked it to')
      }
      if (event === 'ended' || (isFenced && older?.process.isAlive !== true)) {
        // The older one has claimed again after a lost reply. As soon as it is gone, somebody must start anew.
        older?.process.crash('lost after it had claimed again')
        current.process.crash('fenced')
        return 'again'
      }
      if (life.chance(this.#adversity.takeovers)) {
        this.#takeovers++
        older?.process.crash('lost after it was taken over')
        older = current
        current = this.#start()
        isEnding = false
        const fenced = older
        void this.#clock.sleep(life.int(0, 5_000)).then(() => fenced.process.crash('lost after it was taken over'))
      } else if (life.chance(this.#adversity.restarts)) {
        this.#restarts++
        current.worker.stop('now')
        if ((await current.ended) === 'crashed') this.#crashes++
        return 'again'
      } else if (this.#isAppended && !isEnding) {
        isEnding = true
        current.worker.stop(this.#options.closesOpen ? 'drain-and-close' : 'drain')
      }
    }
  }

  #start(): Start {
    const process = new SimulatedProcess(this.#clock)
    const number = this.#starts++
    const random = this.#random.fork(`start ${number}`)
    const faulty = { faults: this.#faults, random, process, clock: this.#clock }
    const { tamper = (untouched) => untouched } = this.#adversity
    const store = faultyCheckpointStore(this.#receivers.listeningTo(tamper(this.#store)), {
      ...faulty,
      zombies: this.#zombies,
      onViolation: (error) => {
        // That of a dead process whose commit was under way: the one that goes on meets the row as well, and sets it aside.
        if (!(error instanceof BadRowError)) this.#violations.push(error)
      },
    })
    const objects: ObjectStore = faultyObjectStore(this.#objects, faulty)
    const ofLog = { ...faulty, maxBytes: this.#adversity.fetchMaxBytes }
    const source: LogSource = faultyLog(this.#log, ofLog)
    const others = this.#others.map((log) => faultyLog(log, ofLog))
    const retries = random.fork('retries')
    const limitsOfArchive = this.#options.archive
    const archive: Archive | null =
      limitsOfArchive === null
        ? null
        : rawArchive({ ...limitsOfArchive, store: objects, compression: 'inline', random: () => retries.fraction() })
    const clock: Clock = process.clock
    const openTopic = async (name: string) =>
      faultyTopic(this.#between.target?.outgoing() ?? this.#receivers.topic(name), faulty)
    const destination = (name: string) => {
      const maxMessages = random.pick([undefined, 1, 5])
      return faultyDestination(this.#receivers.destination(name, maxMessages), faulty)
    }
    const pipeline = pipelineAt(this.#options, { clock, number, destination })
    const limits = { ...defaultLimits, ...this.#adversity.limits }
    // A run without a fault takes one record after the other; what is read ahead here must not show.
    const mostAhead = random.fork('ahead').pick([1, 2, 3, 7, 512])
    const worker = new Worker({ pipeline, source, others, openTopic, store, archive, clock, limits, mostAhead })
    const ended = Promise.race([
      worker.run().then(() => 'ended' as const),
      process.crashed.then(() => 'crashed' as const),
    ])
    return { process, worker, ended }
  }
}
