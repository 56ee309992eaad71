import type pg from 'pg'
import { NEVER } from 'rxjs'
import { systemClock } from '../runtime/clock.ts'
import type { Delivery, Destination, OutgoingMessage, StoredMessage } from '../runtime/log/destination.ts'
import { Relay } from '../runtime/outlets/relay.ts'
import type { Claim, TaskId } from '../runtime/store/checkpoint.ts'
import type { MessagePage } from '../runtime/store/outbox.ts'
import { defaultLimits } from '../runtime/task/workerLimits.ts'
import { PostgresOutbox } from '../sinks/postgres/outbox.ts'
import { messageSteps } from '../sinks/postgres/outboxStatements.ts'
import { runStep } from '../sinks/postgres/runSteps.ts'
import { withClient } from '../sinks/postgres/withClient.ts'
import { toWebhook, type Webhook } from '../sinks/toWebhook.ts'
import type { RunFailure } from './ledger.ts'

const outlet = 'failures'

/** How `outbox list` names what a job has to tell: it has no partitions, and its topic is its ledger. */
function taskOf(job: string): TaskId {
  return { pipeline: job, topic: 'batch_run', partition: 0 }
}

const next =
  'UPDATE batch_schedule SET failures = failures + 1 WHERE pipeline = $1 RETURNING failures::float8 AS sequence'
const newest = 'SELECT failures::float8 AS sequence FROM batch_schedule WHERE pipeline = $1'

/** How a failure becomes a message, and who takes it. */
export interface FailureOutlet {
  readonly encode: (failure: RunFailure) => OutgoingMessage
  readonly open: () => Destination
}

/** The outlet that a pipeline would have for it. */
export function failureOutlet(webhook: Webhook<RunFailure>): FailureOutlet {
  const { encode, to } = toWebhook<RunFailure>(NEVER, webhook)
  if (to.kind !== 'destination') throw new Error('bug: a webhook is a destination')
  return { encode: encode as FailureOutlet['encode'], open: to.open }
}

/** Stores a message that tells of a failure, in the transaction of the client. */
export async function storeFailure(
  client: pg.ClientBase,
  failure: RunFailure,
  { encode }: FailureOutlet,
): Promise<void> {
  const { rows } = await client.query<{ sequence: number }>(next, [failure.job])
  const message: StoredMessage = {
    ...encode(failure),
    sequence: rows[0]?.sequence as number,
    time: failure.interval.to,
  }
  for (const step of messageSteps(taskOf(failure.job), { outlet, messages: [message] })) await runStep(client, step)
}

/** Workers of a job share its outbox, and none of them owns it: each reads what is there. */
class SharedOutbox extends PostgresOutbox {
  override read({ task }: Claim, outletName: string, page: MessagePage): Promise<readonly StoredMessage[]> {
    return this.waiting(task, outletName, page)
  }
}

const lock = `hashtextextended('millrace failures of ' || current_schema() || ' ' || $1, 0)`
const askAgainMs = 250

/** Those of them that nobody has sent yet. */
const unsentText = `SELECT sequence::float8 AS sequence, refused_at IS NOT NULL AS "isRetried" FROM outbox
WHERE pipeline = $1 AND topic = $2 AND partition = $3 AND outlet = '${outlet}' AND sequence = ANY ($4::bigint[]) AND (refused_at IS NULL OR is_retried)`

/**
 * Takes turns with the other workers of a job: who has the turn sends what nobody has sent, and has it forgotten before the turn is over. So a message goes out once, unless a worker is gone between the two; then it carries
 * the id that it had.
 */
class InTurn implements Destination {
  readonly maxMessages = 1
  readonly #inner: Destination
  readonly #pool: pg.Pool
  readonly #job: string
  readonly #outbox: PostgresOutbox

  constructor(inner: Destination, pool: pg.Pool, job: string) {
    this.#inner = inner
    this.#pool = pool
    this.#job = job
    this.#outbox = new PostgresOutbox(pool)
  }

  claim(part: string): Promise<number | null> {
    return this.#inner.claim(part)
  }

  async send(messages: readonly Delivery[], place: number, signal: AbortSignal): Promise<void> {
    const doing = `take the turn to tell of failures of job ${this.#job}`
    await withClient(this.#pool, doing, { pipeline: this.#job }, async (client) => {
      await this.#awaitTurn(client, signal)
      try {
        for (const message of messages) await this.#sendOnce(client, message, place, signal)
      } finally {
        await client.query(`SELECT pg_advisory_unlock(${lock})`, [this.#job])
      }
    })
  }

  close(): Promise<void> {
    return this.#inner.close()
  }

  /** Asks again and again, for a statement that waits for long would be given up. */
  async #awaitTurn(client: pg.ClientBase, signal: AbortSignal): Promise<void> {
    for (;;) {
      const { rows } = await client.query<{ isOurs: boolean }>(`SELECT pg_try_advisory_lock(${lock}) AS "isOurs"`, [
        this.#job,
      ])
      if (rows[0]?.isOurs === true) return
      await systemClock.sleep(askAgainMs, signal)
      signal.throwIfAborted()
    }
  }

  async #sendOnce(client: pg.ClientBase, message: Delivery, place: number, signal: AbortSignal): Promise<void> {
    const task = taskOf(this.#job)
    const sequence = Number(message.id.slice(message.id.lastIndexOf('/') + 1))
    const { rows } = await client.query<{ isRetried: boolean }>(unsentText, [
      ...[task.pipeline, task.topic, task.partition, [sequence]],
    ])
    const [unsent] = rows
    if (unsent === undefined) return
    await this.#inner.send([message], place, signal)
    if (unsent.isRetried) await this.#outbox.forgetRefused(task, outlet, sequence)
    else await this.#outbox.forget(task, outlet, sequence)
  }
}

/** Sends what is stored, by the relay that sends what outlets of pipelines have stored. */
export async function openFailureRelay(pool: pg.Pool, job: string, destination: Destination): Promise<Relay> {
  const committed = await newestFailure(pool, job)
  const claim: Claim = { task: taskOf(job), generation: 0, restored: null }
  const outbox = new SharedOutbox(pool)
  const inTurn = new InTurn(destination, pool, job)
  return new Relay({ claim, outlet, outbox, destination: inTurn, clock: systemClock, limits: defaultLimits, committed })
}

/** The number of the newest message. */
export async function newestFailure(pool: pg.Pool, job: string): Promise<number> {
  const { rows } = await withClient(pool, `count failures of job ${job}`, { pipeline: job }, (client) =>
    client.query<{ sequence: number }>(newest, [job]),
  )
  return rows[0]?.sequence ?? 0
}
