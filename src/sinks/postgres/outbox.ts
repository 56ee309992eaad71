import type pg from 'pg'
import { TaskFencedError } from '../../runtime/errors.ts'
import type { StoredMessage } from '../../runtime/log/destination.ts'
import type { Claim, TaskId } from '../../runtime/store/checkpoint.ts'
import type { MessagePage, Outbox, RefusedMessage } from '../../runtime/store/outbox.ts'
import { unescapeText } from './columnText.ts'
import { type StoredHeaders, storedHeaders } from './headersText.ts'
import {
  countRefusedStatement,
  forgetRefusedStatement,
  forgetStatement,
  generationStatement,
  refusedStatement,
  refuseStatement,
  retriedStatement,
  retryStatement,
  waitingStatement,
} from './outboxStatements.ts'
import { together, withClient } from './withClient.ts'

interface MessageRow extends Omit<StoredMessage, 'headers'> {
  readonly headers: StoredHeaders
  readonly refusal: string | null
  readonly refusedAt: number | null
  readonly isRetried: boolean
}

/** The outbox of `PostgresCheckpointStore`, whose connections it borrows. */
export class PostgresOutbox implements Outbox {
  readonly #pool: pg.Pool

  constructor(pool: pg.Pool) {
    this.#pool = pool
  }

  async read(claim: Claim, outlet: string, page: MessagePage): Promise<readonly StoredMessage[]> {
    const { task, generation } = claim
    return this.#with('read', task, outlet, async (client) => {
      const [owners, messages] = await together(client, () => [
        client.query<{ generation: number; owner: string }>(generationStatement(claim)),
        client.query<MessageRow>(waitingStatement(task, outlet, page)),
      ])
      const [newest] = owners.rows
      if (newest?.generation === generation) return messages.rows.map(messageOf)
      const now = newest === undefined ? 'is gone' : `was claimed by generation ${newest.generation} (${newest.owner})`
      throw new TaskFencedError(
        `${task.pipeline} ${task.topic}/${task.partition} ${now}; this task is generation ${generation}`,
        task,
      )
    })
  }

  /** Messages that wait to be sent, in order, whoever asks. */
  waiting(task: TaskId, outlet: string, page: MessagePage): Promise<readonly StoredMessage[]> {
    return this.#with('read', task, outlet, async (client) => {
      const { rows } = await client.query<MessageRow>(waitingStatement(task, outlet, page))
      return rows.map(messageOf)
    })
  }

  async forget(task: TaskId, outlet: string, upToSequence: number): Promise<void> {
    await this.#with('empty', task, outlet, (client) => client.query(forgetStatement(task, outlet, upToSequence)))
  }

  async refuse(task: TaskId, outlet: string, sequence: number, refusal: string, at: number): Promise<void> {
    await this.#with('set a message aside in', task, outlet, (client) =>
      client.query(refuseStatement(task, outlet, sequence, refusal, at)),
    )
  }

  refused(task: TaskId, outlet: string, page: MessagePage): Promise<readonly RefusedMessage[]> {
    return this.#with('read what was refused of', task, outlet, async (client) => {
      const { rows } = await client.query<MessageRow>(refusedStatement(task, outlet, page))
      return rows.map((row) => ({
        ...messageOf(row),
        refusal: unescapeText(row.refusal as string),
        refusedAt: row.refusedAt as number,
        isRetried: row.isRetried,
      }))
    })
  }

  countRefused(task: TaskId, outlet: string): Promise<number> {
    return this.#with('count what was refused of', task, outlet, async (client) => {
      const { rows } = await client.query<{ count: number }>(countRefusedStatement(task, outlet))
      return rows[0]?.count ?? 0
    })
  }

  retryRefused(task: TaskId, outlet: string, sequences?: readonly number[]): Promise<number> {
    return this.#with('have messages sent again of', task, outlet, async (client) => {
      const { rowCount } = await client.query(retryStatement(task, outlet, sequences ?? null))
      return rowCount ?? 0
    })
  }

  retried(task: TaskId, outlet: string, page: MessagePage): Promise<readonly StoredMessage[]> {
    return this.#with('read what is to be sent again of', task, outlet, async (client) => {
      const { rows } = await client.query<MessageRow>(retriedStatement(task, outlet, page))
      return rows.map(messageOf)
    })
  }

  async forgetRefused(task: TaskId, outlet: string, sequence: number): Promise<void> {
    await this.#with('empty', task, outlet, (client) => client.query(forgetRefusedStatement(task, outlet, sequence)))
  }

  #with<T>(doing: string, task: TaskId, outlet: string, action: (client: pg.ClientBase) => Promise<T>): Promise<T> {
    const name = `${task.pipeline} ${task.topic}/${task.partition}, outlet ${outlet}`
    return withClient(this.#pool, `${doing} the outbox of ${name}`, task, action)
  }
}

function messageOf({ sequence, time, key, value, headers }: MessageRow): StoredMessage {
  return { sequence, time, key, value, headers: storedHeaders(headers) }
}
