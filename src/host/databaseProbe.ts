import pg from 'pg'
import { durationText } from '../console/text.ts'
import { ConfigurationError } from '../runtime/errors.ts'

const silenceMs = 2_000

/** Asks the database now and then whether it is there: one that hangs fails nothing for a minute, and that it is silent shows here first. */
export class DatabaseProbe {
  readonly #pool: pg.Pool
  #askedAt: number | null = null
  /** When it was asked what it has not answered since, in however many attempts. */
  #silentSince: number | null = null

  constructor(pool: pg.Pool) {
    this.#pool = pool
  }

  /** Asks, unless an answer is still out. */
  ask(now: number): void {
    if (this.#askedAt !== null) return
    this.#askedAt = now
    this.#silentSince ??= now
    // A refusal is an answer, too: the worker meets the same database and says what is wrong with it.
    this.#pool.query('SELECT 1').then(
      () => this.#over(true),
      (error: unknown) => this.#over(isFromServer(error)),
    )
  }

  /** How long it has not answered, ms, also in words of refusal; a connection that could not be made is no answer. */
  silentMs(now: number): number {
    return this.#silentSince === null ? 0 : now - this.#silentSince
  }

  /** In words for a status line, or null while it answers. */
  waitingFor(now: number): string | null {
    const silentMs = this.#askedAt === null ? 0 : now - this.#askedAt
    return silentMs < silenceMs ? null : `PostgreSQL, no answer for ${durationText(silentMs)}`
  }

  #over(isAnswered: boolean): void {
    this.#askedAt = null
    if (isAnswered) this.#silentSince = null
  }
}

function isFromServer(error: unknown): boolean {
  return error instanceof pg.DatabaseError || error instanceof ConfigurationError
}
