import type pg from 'pg'
import { NEVER } from 'rxjs'
import type { Claim, TaskId } from '../runtime/checkpoint.ts'
import { systemClock } from '../runtime/clock.ts'
import type { Destination, OutgoingMessage, StoredMessage } from '../runtime/destination.ts'
import type { MessagePage } from '../runtime/outbox.ts'
import { Relay } from '../runtime/relay.ts'
import { defaultLimits } from '../runtime/workerLimits.ts'
import { PostgresOutbox } from '../sinks/postgres/outbox.ts'
import { messageSteps } from '../sinks/postgres/outboxStatements.ts'
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
  for (const step of messageSteps(taskOf(failure.job), { outlet, messages: [message] })) await step(client)
}

/** Workers of a job share its outbox, and none of them owns it: each sends what is there, and a message that two have sent carries one id. */
class SharedOutbox extends PostgresOutbox {
  override read({ task }: Claim, outletName: string, page: MessagePage): Promise<readonly StoredMessage[]> {
    return this.waiting(task, outletName, page)
  }
}

/** Sends what is stored, by the relay that sends what outlets of pipelines have stored. */
export async function openFailureRelay(pool: pg.Pool, job: string, destination: Destination): Promise<Relay> {
  const committed = await newestFailure(pool, job)
  const claim: Claim = { task: taskOf(job), generation: 0, restored: null }
  const outbox = new SharedOutbox(pool)
  return new Relay({ claim, outlet, outbox, destination, clock: systemClock, limits: defaultLimits, committed })
}

/** The number of the newest message. */
export async function newestFailure(pool: pg.Pool, job: string): Promise<number> {
  const { rows } = await withClient(pool, `count failures of job ${job}`, { pipeline: job }, (client) =>
    client.query<{ sequence: number }>(newest, [job]),
  )
  return rows[0]?.sequence ?? 0
}
