import type pg from 'pg'
import { durationText } from '../console/text.ts'

const silenceMs = 2_000

/** Asks the database now and then whether it is there: one that hangs fails nothing for a minute, and that it is silent shows here first. */
export class DatabaseProbe {
  readonly #pool: pg.Pool
  #askedAt: number | null = null

  constructor(pool: pg.Pool) {
    this.#pool = pool
  }

  /** Asks, unless an answer is still out. */
  ask(now: number): void {
    if (this.#askedAt !== null) return
    this.#askedAt = now
    const answered = () => {
      this.#askedAt = null
    }
    // A refusal is an answer, too: the worker meets the same database and says what is wrong with it.
    this.#pool.query('SELECT 1').then(answered, answered)
  }

  /** How long an answer has been out, ms. */
  silentMs(now: number): number {
    return this.#askedAt === null ? 0 : now - this.#askedAt
  }

  /** In words for a status line, or null while it answers. */
  waitingFor(now: number): string | null {
    const silentMs = this.silentMs(now)
    return silentMs < silenceMs ? null : `PostgreSQL, no answer for ${durationText(silentMs)}`
  }
}
