import type { Clock } from '../../runtime/clock.ts'
import { RetryableError, TaskFencedError } from '../../runtime/errors.ts'
import type { Destination } from '../../runtime/log/destination.ts'
import type { OutgoingTopic } from '../../runtime/log/log.ts'
import type { Random } from '../random.ts'
import type { Faults } from './faults.ts'
import { never, type SimulatedProcess } from './simulatedProcess.ts'

/** What disturbs the way to a receiver: `faults` decide when, `random` how long, and `process` is what they kill. */
export interface FaultySendingOptions {
  readonly faults: Faults
  readonly random: Random
  readonly process: SimulatedProcess
  /** Keeps time outside the process: what is under way arrives although its sender is gone. */
  readonly clock: Clock
}

/** A topic whose writer answers late, wrongly or not at all, and in front of which the process dies while it appends. */
export function faultyTopic(inner: OutgoingTopic, options: FaultySendingOptions): OutgoingTopic {
  const { process } = options
  const sent = sending(options)
  return {
    partitionOf: inner.partitionOf,
    get partitions() {
      return inner.partitions
    },
    writer: {
      claim: (producer) => sent(() => inner.writer.claim(producer)),
      append: (records, position) => sent(() => inner.writer.append(records, position)),
      close: () => (process.isAlive ? process.guard(inner.writer.close()) : never()),
    },
  }
}

/** A destination that does the same. */
export function faultyDestination(inner: Destination, options: FaultySendingOptions): Destination {
  const { process } = options
  const sent = sending(options)
  return {
    ...(inner.maxMessages === undefined ? {} : { maxMessages: inner.maxMessages }),
    claim: (part) => sent(() => inner.claim(part)),
    send: (messages, place, signal) => sent(() => inner.send(messages, place, signal)),
    close: () => (process.isAlive ? process.guard(inner.close()) : never()),
  }
}

function sending({ faults, random, process, clock }: FaultySendingOptions) {
  async function disturbed<T>(send: () => Promise<T>): Promise<T> {
    if (faults.strikes('send-fails')) throw new RetryableError('injected fault: the receiver did not answer')
    if (faults.strikes('send-slow')) await clock.sleep(random.int(1, 3_000))
    if (faults.strikes('crash-during-send')) {
      if (random.chance(0.5)) void arriveLater(send, random.int(0, 500))
      return process.die('while it sent')
    }
    const answer = await send()
    if (faults.strikes('send-lost-reply')) throw new RetryableError("injected fault: the receiver's reply was lost")
    return answer
  }

  /** It was already under way: it arrives, or is turned away because somebody has taken over meanwhile; nobody hears of it. */
  async function arriveLater(send: () => Promise<unknown>, ms: number): Promise<void> {
    await clock.sleep(ms)
    try {
      await send()
    } catch (error) {
      if (!(error instanceof TaskFencedError)) throw error
    }
  }

  return <T>(send: () => Promise<T>): Promise<T> => (process.isAlive ? process.guard(disturbed(send)) : never())
}
