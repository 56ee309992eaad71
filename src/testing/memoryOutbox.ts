import type { StoredMessage } from '../runtime/log/destination.ts'
import { headersBytes } from '../runtime/log/encodeHeaders.ts'
import type { Claim, MessageWrite, TaskId } from '../runtime/store/checkpoint.ts'
import type { MessagePage, Outbox, RefusedMessage } from '../runtime/store/outbox.ts'

type Refusal = Pick<RefusedMessage, 'refusal' | 'refusedAt' | 'isRetried'>

interface Kept {
  readonly message: StoredMessage
  refusal: Refusal | null
}

/** The outbox of `MemoryCheckpointStore`. */
export class MemoryOutbox implements Outbox {
  /** By task and outlet. */
  readonly #messages = new Map<string, Kept[]>()
  /** Of messages that are stored once, ever, by pipeline and outlet. */
  readonly #identities = new Set<string>()
  readonly #requireNewest: (claim: Claim) => void

  /** @param requireNewest throws `TaskFencedError` where the claim is not the newest */
  constructor(requireNewest: (claim: Claim) => void) {
    this.#requireNewest = requireNewest
  }

  /** Stores what a checkpoint brings. */
  add(task: TaskId, { outlet, messages }: MessageWrite): void {
    const kept = messages
      .filter(
        ({ identity }) => identity === undefined || this.#isNew(JSON.stringify([task.pipeline, outlet, identity])),
      )
      .map((message) => ({ message: copyOf(message), refusal: null }))
    this.#messages.set(keyOf(task, outlet), [...this.#kept(task, outlet), ...kept])
  }

  async read(claim: Claim, outlet: string, page: MessagePage): Promise<readonly StoredMessage[]> {
    this.#requireNewest(claim)
    return this.#page(claim.task, outlet, page, ({ refusal }) => refusal === null).map(({ message }) => message)
  }

  async forget(task: TaskId, outlet: string, upToSequence: number): Promise<void> {
    this.#keep(task, outlet, ({ message, refusal }) => message.sequence > upToSequence || refusal !== null)
  }

  async refuse(task: TaskId, outlet: string, sequence: number, refusal: string, at: number): Promise<void> {
    const found = this.#kept(task, outlet).find(({ message }) => message.sequence === sequence)
    if (found !== undefined) found.refusal = { refusal, refusedAt: at, isRetried: false }
  }

  async refused(task: TaskId, outlet: string, page: MessagePage): Promise<readonly RefusedMessage[]> {
    return this.#page(task, outlet, page, ({ refusal }) => refusal !== null).map(({ message, refusal }) => ({
      ...message,
      ...(refusal as Refusal),
    }))
  }

  async countRefused(task: TaskId, outlet: string): Promise<number> {
    return this.#kept(task, outlet).filter(({ refusal }) => refusal !== null).length
  }

  async retryRefused(task: TaskId, outlet: string, sequences?: readonly number[]): Promise<number> {
    let count = 0
    for (const kept of this.#kept(task, outlet)) {
      if (kept.refusal === null || sequences?.includes(kept.message.sequence) === false) continue
      kept.refusal = { ...kept.refusal, isRetried: true }
      count += 1
    }
    return count
  }

  async retried(task: TaskId, outlet: string, page: MessagePage): Promise<readonly StoredMessage[]> {
    return this.#page(task, outlet, page, ({ refusal }) => refusal?.isRetried === true).map(({ message }) => message)
  }

  async forgetRefused(task: TaskId, outlet: string, sequence: number): Promise<void> {
    this.#keep(task, outlet, ({ message, refusal }) => message.sequence !== sequence || refusal === null)
  }

  #isNew(identity: string): boolean {
    if (this.#identities.has(identity)) return false
    this.#identities.add(identity)
    return true
  }

  #page(task: TaskId, outlet: string, page: MessagePage, isMeant: (kept: Kept) => boolean): readonly Kept[] {
    const behind = this.#kept(task, outlet).filter((kept) => kept.message.sequence > page.after && isMeant(kept))
    let bytes = 0
    return behind.slice(0, page.maxMessages).filter(({ message: { key, value, headers = [] } }, i) => {
      bytes += (key?.length ?? 0) + (value?.length ?? 0) + headersBytes(headers)
      return i === 0 || bytes <= page.maxBytes
    })
  }

  #kept(task: TaskId, outlet: string): readonly Kept[] {
    return this.#messages.get(keyOf(task, outlet)) ?? []
  }

  #keep(task: TaskId, outlet: string, isKept: (kept: Kept) => boolean): void {
    this.#messages.set(keyOf(task, outlet), this.#kept(task, outlet).filter(isKept))
  }
}

function keyOf({ pipeline, topic, partition }: TaskId, outlet: string): string {
  return JSON.stringify([pipeline, topic, partition, outlet])
}

function copyOf({ sequence, time, key, value, headers = [] }: StoredMessage): StoredMessage {
  return {
    sequence,
    time,
    key: bytesOf(key),
    value: bytesOf(value),
    headers: headers.map((header) => ({ key: header.key, value: bytesOf(header.value) })),
  }
}

function bytesOf(bytes: Uint8Array | null): Uint8Array | null {
  return bytes === null ? null : Uint8Array.from(bytes)
}
