import type { S3Operation } from './request.ts'

export type S3Fault =
  | { readonly kind: 'fail'; readonly status: number; readonly code: string }
  | { readonly kind: 'drop'; readonly when: 'before' | 'after' }
  | { readonly kind: 'delay'; readonly ms: number }

export interface FaultOptions {
  /** Strikes requests of this kind only. */
  readonly operation?: S3Operation
}

const CODES: Readonly<Record<number, string>> = {
  403: 'AccessDenied',
  409: 'ConditionalRequestConflict',
  429: 'TooManyRequests',
  500: 'InternalError',
  503: 'SlowDown',
}

/**
 * Faults on command. Each strikes the next requests that it fits, in the order in which they were ordered, one fault
 * a request.
 */
export class S3Faults {
  #pending: { fault: S3Fault; left: number; operation: S3Operation | null }[] = []

  /** The next `count` requests are refused with this status, and not applied. */
  failNext(count: number, status: number, options: FaultOptions & { readonly code?: string } = {}): void {
    this.#order({ kind: 'fail', status, code: options.code ?? CODES[status] ?? 'InternalError' }, count, options)
  }

  /**
   * The connections of the next `count` requests are closed, before the request is applied or after it (a lost
   * reply).
   */
  dropNext(count: number, when: 'before' | 'after', options: FaultOptions = {}): void {
    this.#order({ kind: 'drop', when }, count, options)
  }

  /** The next `count` requests are answered `ms` later. */
  delayNext(count: number, ms: number, options: FaultOptions = {}): void {
    this.#order({ kind: 'delay', ms }, count, options)
  }

  /** How many faults have not struck yet. */
  get pending(): number {
    return this.#pending.reduce((sum, { left }) => sum + left, 0)
  }

  /** Forgets the faults that have not struck yet. */
  clear(): void {
    this.#pending = []
  }

  /** The fault for this request, which is thereby used up, or null. */
  take(operation: S3Operation): S3Fault | null {
    const found = this.#pending.find((each) => each.operation === null || each.operation === operation)
    if (found === undefined) return null
    found.left--
    this.#pending = this.#pending.filter(({ left }) => left > 0)
    return found.fault
  }

  #order(fault: S3Fault, count: number, { operation }: FaultOptions): void {
    if (count > 0) this.#pending.push({ fault, left: count, operation: operation ?? null })
  }
}
