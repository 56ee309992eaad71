import type { RecordTap } from '../inputs/archiveTap.ts'
import { atRest, open } from '../letters/provenance.ts'
import type { ReadAhead } from '../log/readAhead.ts'
import type { RecordView } from '../log/record.ts'
import { setRunning } from '../operator/currentTask.ts'
import type { AnyNode } from '../operator/operatorNode.ts'
import { Span } from '../spans/span.ts'
import type { StreamTask } from './streamTask.ts'
import type { TaskInputs } from './taskInputs.ts'
import type { TaskLimits } from './workerLimits.ts'

/** How many records and how many results, and how many bytes of either, may come together between two cuts. */
export interface Credit {
  readonly maxUncommittedRecords: number
  readonly maxUncommittedBytes: number
  readonly maxUncommittedResults: number
  readonly maxUncommittedResultBytes: number
}

interface Failure {
  readonly node: AnyNode
  readonly record: number
  readonly error: unknown
}

/** It does not pay to look at fewer. */
const fewestLooked = 4
/** What operators keep for the keys of so many is still in the cache of the core when they are taken. */
const mostLooked = 128
/** Where nothing is ever quiet, looking costs a tenth of a record each. */
const longestPause = 31

let looks = 0

/**
 * Pushes records that were read ahead: as spans as far as nothing happens at them but that operators change what they keep, and by themselves where something does, so that all that can be seen is in the order of the records.
 *
 * How far it looks depends on how far it was quiet before, so what is looked at in vain is about as much as what is taken.
 */
export class AheadPush {
  readonly #task: StreamTask
  readonly #inputs: TaskInputs
  readonly #limits: TaskLimits
  readonly #span = new Span<RecordView>()
  #failures: Failure[] = []
  /** So many records are looked at. */
  #reach = mostLooked
  /** So many are pushed by themselves before it is looked again, and so many of them are left. */
  #pause = 0
  #left = 0
  /** What the task had brought about when it was counted last. */
  #brought = 0

  constructor(task: StreamTask, inputs: TaskInputs, limits: TaskLimits) {
    this.#task = task
    this.#inputs = inputs
    this.#limits = limits
  }

  /**
   * Pushes the record at hand, and with credit those behind it, as long as there is some and each is an ordinary one. The last one that was pushed is at hand then.
   * @param credit null for the one record alone
   * @param archive takes each record behind its push
   * @param until the first offset before which something else is due
   */
  push(ahead: ReadAhead, input: number, credit: Credit | null, archive: RecordTap | null, until: number): void {
    const task = this.#task
    const { facts, provenance } = task
    if (!this.#isOrdinary(ahead, ahead.at)) {
      task.push(ahead.show(), input)
      archive?.append(ahead.view, facts)
      return
    }
    task.ahead = ahead
    setRunning(task)
    provenance.gate = open
    try {
      for (;;) {
        const end = credit === null ? ahead.at : this.#look(ahead, input, credit, until)
        if (end > ahead.at) this.#take(ahead, input, end, archive)
        else this.#pushOne(ahead, input, archive)
        if (task.hasFailed || credit === null || !ahead.hasNext) break
        if (!this.#mayGoOn(ahead, credit, until)) break
        ahead.at += 1
      }
    } finally {
      setRunning(null)
      provenance.gate = atRest
      task.ahead = null
    }
  }

  /** An operator has failed on the value of a record of the span that is taken. */
  failedAt(node: AnyNode, record: number, error: unknown): void {
    this.#failures.push({ node, record, error })
  }

  #pushOne(ahead: ReadAhead, input: number, archive: RecordTap | null): void {
    const task = this.#task
    const { provenance, facts } = task
    const { at } = ahead
    provenance.beginAhead(ahead, input)
    facts.isJsonObject = false
    task.beginRecord()
    this.#inputs.pushAhead(input, ahead)
    provenance.end()
    this.#count(ahead, input, at, at + 1)
    if (!task.hasFailed) archive?.append(ahead.show(), facts)
  }

  /** Whether the next record may go as well. */
  #mayGoOn(ahead: ReadAhead, credit: Credit, until: number): boolean {
    const { uncutRecords, uncutBytes } = this.#task
    const next = ahead.at + 1
    if (uncutRecords >= credit.maxUncommittedRecords || uncutBytes >= credit.maxUncommittedBytes) return false
    return this.#hasRoom(credit) && this.#mayFollow(ahead, next, until)
  }

  /** Whether there is credit for results, which are only counted where there are more than before. */
  #hasRoom({ maxUncommittedResults, maxUncommittedResultBytes }: Credit): boolean {
    const task = this.#task
    if (task.brought === this.#brought) return true
    this.#brought = task.brought
    return task.uncutResults < maxUncommittedResults && task.uncutResultBytes < maxUncommittedResultBytes
  }

  /** The record before which all from the one at hand on may be taken as a span; the one at hand for none. */
  #look(ahead: ReadAhead, input: number, credit: Credit, until: number): number {
    const { at } = ahead
    if (this.#left > 0) {
      this.#left -= 1
      return at
    }
    const span = this.#span
    const most = this.#mostOf(ahead, credit, until)
    looks += 1
    span.look = looks
    span.count = most - at
    for (let i = 0; i < span.count; i += 1) span.records[i] = at + i
    const end = this.#inputs.look(input, span, most)
    this.#learn(end - at, most - at)
    return end
  }

  /** How far the records may go that are behind the one at hand, whatever they hold. */
  #mostOf(
    ahead: ReadAhead,
    { maxUncommittedRecords, maxUncommittedBytes, maxUncommittedResults }: Credit,
    until: number,
  ): number {
    const { uncutRecords, uncutBytes, uncutResults } = this.#task
    const { at } = ahead
    const credit = Math.min(maxUncommittedRecords - uncutRecords, maxUncommittedResults - uncutResults)
    const most = Math.min(ahead.count, at + Math.min(this.#reach, credit))
    const bytes = maxUncommittedBytes - uncutBytes
    let end = at + 1
    while (end < most && ahead.bytesBetween(at, end) < bytes && this.#mayFollow(ahead, end, until)) end += 1
    return end
  }

  #learn(quiet: number, looked: number): void {
    if (quiet === looked) {
      this.#reach = Math.min(mostLooked, this.#reach * 2)
      this.#pause = 0
      return
    }
    this.#reach = Math.max(fewestLooked, quiet * 2)
    this.#pause = quiet >= fewestLooked ? 0 : Math.min(longestPause, this.#pause * 2 + 1)
    this.#left = this.#pause
  }

  #take(ahead: ReadAhead, input: number, end: number, archive: RecordTap | null): void {
    const task = this.#task
    const { provenance, facts } = task
    const { at } = ahead
    this.#inputs.take(input, this.#span, end)
    ahead.at = end - 1
    provenance.beginAhead(ahead, input)
    task.beginRecord()
    if (this.#failures.length > 0) this.#tell(ahead, input)
    provenance.end()
    this.#count(ahead, input, at, ahead.at + 1)
    if (archive === null || task.hasFailed) return
    ahead.at = at
    archive.appendAll(ahead, end, facts)
  }

  /** Has the failures told in the order of the records, each as the doing of its own. The last record is at hand then, or the one at which the task has failed. */
  #tell(ahead: ReadAhead, input: number): void {
    const task = this.#task
    const last = ahead.at
    const failures = this.#failures.sort((a, b) => a.record - b.record)
    this.#failures = []
    for (const { node, record, error } of failures) {
      this.#goTo(record, ahead, input)
      task.failed(node, error)
      if (task.hasFailed) return
    }
    this.#goTo(last, ahead, input)
  }

  #goTo(record: number, ahead: ReadAhead, input: number): void {
    // The numbers of its letters so far are those of the record at hand.
    if (record === ahead.at) return
    ahead.at = record
    this.#task.provenance.end()
    this.#task.provenance.beginAhead(ahead, input)
  }

  #count(ahead: ReadAhead, input: number, from: number, end: number): void {
    const task = this.#task
    this.#inputs.nextOffsets[input] = (ahead.offsets[end - 1] as number) + 1
    task.uncutRecords += end - from
    task.uncutBytes += ahead.bytesBetween(from, end)
  }

  /** An ordinary record, before which nothing is due. */
  #mayFollow(ahead: ReadAhead, at: number, until: number): boolean {
    return this.#isOrdinary(ahead, at) && (ahead.offsets[at] as number) < until
  }

  /** Not one that says something beside its value, or is too large. */
  #isOrdinary(ahead: ReadAhead, at: number): boolean {
    return ahead.headersLengths[at] === 0 && ahead.bytesBetween(at, at + 1) <= this.#limits.maxRecordBytes
  }
}
