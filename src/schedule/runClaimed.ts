import type pg from 'pg'
import { steadyClock } from '../runtime/clock.ts'
import { RetryableError, TaskFencedError } from '../runtime/errors.ts'
import type { PostgresAddress } from '../sinks/postgres/connection.ts'
import type { Job, JobContext } from './job.ts'
import type { ClaimedRun, Ledger } from './ledger.ts'

/** What became of a run. */
export type RunOutcome = 'done' | 'failed' | 'lost' | 'given back'

interface Place {
  readonly database: PostgresAddress
  readonly schema: string
  readonly pool: pg.Pool
  /** Fires when the worker is to stop. */
  readonly stop: AbortSignal
  /** What went wrong, for people. */
  readonly say: (line: string) => void
}

/** Runs an interval that was claimed, saying all the while that the worker is there, and notes what came of it. Throws what the database says where that cannot be noted. */
export async function runClaimed(job: Job, ledger: Ledger, run: ClaimedRun, place: Place): Promise<RunOutcome> {
  const { database, schema, pool, stop, say } = place
  const lost = new AbortController()
  const over = new AbortController()
  const signal = AbortSignal.any([lost.signal, stop])
  let isSettled = false
  const context: JobContext = {
    ...{ runId: run.runId, attempt: run.attempt, database, schema, pool, signal },
    settle: async (client, counts = {}) => {
      await ledger.settle(client, run, counts)
      isSettled = true
    },
    tell: (client, text) => ledger.tell(client, run, text),
  }
  const onGone = (error: TaskFencedError) => {
    // A run that its job has settled is over as well.
    if (!isSettled) lost.abort(error)
  }
  const renewing = keepRenewed(job, ledger, run, onGone, over.signal)
  try {
    const counts = (await withinTime(job, run, lost, over.signal, job.run(run.interval, context))) ?? {}
    if (await ledger.done(run, counts)) return 'done'
    say(`run ${run.runId} took so long that another attempt was made`)
    return 'lost'
  } catch (error) {
    if (stop.aborted) {
      await ledger.givenBack(run)
      return 'given back'
    }
    const text = error instanceof Error ? error.message : String(error)
    if (await ledger.failed(run, error)) {
      say(`run ${run.runId} failed: ${text}`)
      return 'failed'
    }
    // What it threw after its transaction undoes nothing.
    const isDone = await ledger.done(run, {})
    say(isDone ? `run ${run.runId} is done, and failed after that: ${text}` : `run ${run.runId} is lost: ${text}`)
    return isDone ? 'done' : 'lost'
  } finally {
    over.abort()
    await renewing
  }
}

/** What the job gives, unless it takes too long: then it is told, and what it still settles is refused. */
async function withinTime<T>(
  { timeoutMs }: Job,
  { runId }: ClaimedRun,
  told: AbortController,
  over: AbortSignal,
  running: Promise<T>,
): Promise<T> {
  if (timeoutMs === null) return running
  const expired = steadyClock.sleep(timeoutMs, over).then(() => {
    if (over.aborted) return running
    const error = new RetryableError(`run ${runId} took longer than the ${timeoutMs} ms that its job gives it`)
    told.abort(error)
    throw error
  })
  return Promise.race([running, expired])
}

/** Until it is over, or the run is another's, or nobody could be told for so long that it will be. */
async function keepRenewed(
  { leaseMs }: Job,
  ledger: Ledger,
  run: ClaimedRun,
  onGone: (error: TaskFencedError) => void,
  over: AbortSignal,
): Promise<void> {
  let heardAt = steadyClock.now()
  for (;;) {
    await steadyClock.sleep(leaseMs / 4, over)
    if (over.aborted) return
    const askedAt = steadyClock.now()
    let isOurs: boolean
    try {
      isOurs = await ledger.renew(run)
    } catch {
      // The database is away: the run goes on until its time is up, and what it then does with the database fails by itself.
      if (steadyClock.now() - heardAt < leaseMs) continue
      isOurs = false
    }
    if (over.aborted) return
    if (!isOurs) {
      onGone(new TaskFencedError(`run ${run.runId} is over: nobody could be told in time that its worker is there`))
      return
    }
    heardAt = askedAt
  }
}
