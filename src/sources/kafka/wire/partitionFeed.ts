import { type MillraceError, OffsetOutOfRangeError, RetryableError } from '../../../runtime/errors.ts'
import { lostEnd } from '../lostEnd.ts'
import type { Connection } from '../protocol/connection.ts'
import { protocolErrorName } from '../protocol/errorNames.ts'
import { Refusal } from '../protocol/refusal.ts'
import { type Cluster, isLeadershipError } from './cluster.ts'
import { type FetchResponse, fetchRecords } from './fetchApi.ts'
import { RecordSet } from './recordSet.ts'
import { SpareBuffers } from './spareBuffers.ts'

/** A fetch that a broker holds back for lack of records ends after this at the latest. */
const MOST_WAIT_MS = 500
const FIRST_PAUSE_MS = 20
const MOST_PAUSE_MS = 250

interface Ask {
  readonly maxBytes: number
  readonly maxWaitMs: number
}

/**
 * Fetches one partition on a connection of its own, one request after the other, and keeps up to two answers that nobody has taken yet.
 *
 * The next request leaves as soon as an answer is there that says that more is to come, so the broker reads while the records before are worked on.
 * At the end of the log it asks only when it is asked. A leader that has moved, or a connection that broke, is looked for anew for as long as a
 * request may take; then there is an error for the next who asks.
 */
export class PartitionFeed {
  readonly #cluster: Cluster
  readonly #partition: number
  /** The next request asks from here on. */
  #offset = 0
  #leaderEpoch = -1
  #sets: RecordSet[] = []
  readonly #spares = new SpareBuffers()
  #error: MillraceError | null = null
  #connection: Connection | null = null
  /** The request under way; one that is no longer this has been given up. */
  #request: object | null = null
  #hasMore = false
  #asked = 0
  #answeredEmpty = 0
  #changed = Promise.withResolvers<void>()
  #isClosed = false

  constructor(cluster: Cluster, partition: number) {
    this.#cluster = cluster
    this.#partition = partition
  }

  /** Drops what was fetched, and what is being fetched. */
  seek(offset: number): void {
    this.#offset = offset
    this.#leaderEpoch = -1
    this.#sets = []
    this.#error = null
    if (this.#request === null) return
    // The broker would answer the old request first, perhaps after a wait.
    this.#request = null
    this.#dropConnection()
  }

  /** The next records, or null when there are none yet. Throws what has gone wrong, once. */
  ready(): RecordSet | null {
    const set = this.#sets[0]
    if (set !== undefined) {
      if (set.byteLength > 0) return set
      this.#sets.shift()
      this.#spares.giveBack(set.bytes)
      return this.ready()
    }
    const error = this.#error
    this.#error = null
    if (error !== null) throw error
    return null
  }

  /** Asks, unless a request is under way. Gives a number: `isEmpty` of it says later that the broker had nothing. */
  ask(ask: Ask): number {
    if (this.#request === null && this.#error === null && !this.#isClosed) this.#start(ask)
    return this.#asked
  }

  /** As many requests as were sent so far. */
  get asked(): number {
    return this.#asked
  }

  /** Whether request number `ask`, or one after it, was answered with nothing. */
  isEmpty(ask: number): boolean {
    return this.#answeredEmpty >= ask
  }

  /** Resolves when an answer, an error or the end has come. */
  change(): Promise<void> {
    return this.#changed.promise
  }

  close(): void {
    this.#isClosed = true
    this.#sets = []
    this.#request = null
    this.#dropConnection()
    this.#wake()
  }

  /** Fetches on when there is room, without being asked: called as records are taken. */
  readAhead(maxBytes: number): void {
    let bytes = 0
    for (const set of this.#sets) bytes += set.byteLength
    if (bytes < maxBytes && this.#hasMore) this.ask({ maxBytes, maxWaitMs: 0 })
  }

  #start(ask: Ask): void {
    const request = {}
    this.#request = request
    this.#asked++
    const number = this.#asked
    this.#run(request, ask).then(
      (response) => {
        if (this.#request !== request) return
        this.#request = null
        this.#take(response, number, ask)
        this.#wake()
      },
      (error: unknown) => {
        if (this.#request !== request) return
        this.#request = null
        this.#fail(error)
        this.#wake()
      },
    )
  }

  #take(response: FetchResponse, number: number, ask: Ask): void {
    const { records, lastStableOffset, abortedTransactions, divergesAt } = response
    if (divergesAt !== null) {
      this.#fail(lostEnd({ topic: this.#cluster.topic, partition: this.#partition, offset: this.#offset }, divergesAt))
    } else if (records.length === 0) {
      this.#hasMore = false
      this.#answeredEmpty = number
    } else {
      this.#keep(records, lastStableOffset, abortedTransactions, ask)
    }
  }

  #keep(
    records: Buffer,
    lastStableOffset: number,
    abortedTransactions: FetchResponse['abortedTransactions'],
    ask: Ask,
  ): void {
    const place = { topic: this.#cluster.topic, partition: this.#partition }
    try {
      const set = new RecordSet(records, this.#offset, abortedTransactions, place)
      this.#sets.push(set)
      this.#offset = set.nextOffset
      this.#leaderEpoch = set.leaderEpoch
      this.#hasMore = set.nextOffset < lastStableOffset
      this.readAhead(ask.maxBytes)
    } catch (error) {
      this.#fail(error)
    }
  }

  /** One answer, however often it takes to get it within the time that a request may take. */
  async #run(request: object, ask: Ask): Promise<FetchResponse> {
    const { clock, settings } = this.#cluster
    const until = clock.now() + settings.requestTimeoutMs
    const place = { topic: this.#cluster.topic, partition: this.#partition }
    for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(MOST_PAUSE_MS, pauseMs * 2)) {
      let response: FetchResponse | null = null
      let trouble: MillraceError | null = null
      try {
        response = await this.#send(request, ask)
      } catch (error) {
        if (this.#request !== request) throw error
        this.#dropConnection()
        trouble = this.#cluster.trouble(error, `fetch from ${place.topic}/${place.partition}`, this.#partition)
        if (!(trouble instanceof RetryableError)) throw trouble
      }
      if (response !== null) {
        const { errorCode } = response
        if (errorCode === 0) return response
        const name = protocolErrorName(errorCode)
        if (name === 'OFFSET_OUT_OF_RANGE') throw await this.#outOfRange()
        trouble = this.#refused(errorCode)
        if (!isLeadershipError(name)) throw trouble
        if (this.#request === request) this.#dropConnection()
      }
      if (this.#request !== request || clock.now() + pauseMs > until) throw trouble
      await clock.sleep(pauseMs)
      // A cluster that cannot be asked now is asked again with the next round.
      await this.#cluster.refresh().catch((error: unknown) => {
        if (!(error instanceof RetryableError)) throw error
      })
    }
  }

  async #send(request: object, ask: Ask): Promise<FetchResponse> {
    const leader = await this.#cluster.leader(this.#partition)
    if (this.#connection?.isOpen !== true) {
      this.#dropConnection()
      const connection = await this.#cluster.connect(leader.broker, { buffers: this.#spares })
      if (this.#request !== request) {
        this.#cluster.release(connection)
        throw new RetryableError('The fetch was given up.')
      }
      this.#connection = connection
    }
    return (this.#connection as Connection).ask(fetchRecords, {
      topicId: this.#cluster.topicId,
      partition: this.#partition,
      offset: this.#offset,
      leaderEpoch: leader.epoch,
      lastFetchedEpoch: this.#leaderEpoch,
      maxBytes: ask.maxBytes,
      maxWaitMs: Math.min(ask.maxWaitMs, MOST_WAIT_MS),
    })
  }

  async #outOfRange(): Promise<MillraceError> {
    const { topic } = this.#cluster
    const offset = this.#offset
    const { earliest, next } = await this.#cluster.bounds(this.#partition)
    const place = { topic, partition: this.#partition, offset }
    if (offset >= earliest && offset <= next) {
      return new RetryableError(
        `${topic}/${this.#partition} had no offset ${offset} and has it now. It is tried again.`,
        place,
      )
    }
    return new OffsetOutOfRangeError(
      `${topic}/${this.#partition} holds offsets ${earliest} to ${next} (the next one), not ${offset}. ` +
        `Records below ${earliest} are gone: seek to ${earliest} to lose them knowingly.`,
      place,
    )
  }

  #refused(errorCode: number): MillraceError {
    const { topic } = this.#cluster
    return this.#cluster.trouble(new Refusal(errorCode), `fetch from ${topic}/${this.#partition}`, this.#partition)
  }

  #fail(error: unknown): void {
    this.#hasMore = false
    this.#error = this.#cluster.trouble(error, `fetch from ${this.#cluster.topic}/${this.#partition}`, this.#partition)
  }

  #dropConnection(): void {
    if (this.#connection !== null) this.#cluster.release(this.#connection)
    this.#connection = null
  }

  #wake(): void {
    this.#changed.resolve()
    this.#changed = Promise.withResolvers<void>()
  }
}
