import type pg from 'pg'
import { PgBoss } from 'pg-boss'
import { ConfigurationError } from '../runtime/errors.ts'
import { asMillraceError } from '../sinks/postgres/errors.ts'

/** The schema of pg-boss beside ours, which is made where it is missing. */
export function alarmSchema(schema: string): string {
  return `${schema.slice(0, 45)}_boss`
}

/** Once it has been rung it is over; a worker that is killed right then looks at the ledger when it starts again, or another does. */
const alarmOptions = { expireInSeconds: 60, retryLimit: 3, deleteAfterSeconds: 86_400 }
const pollingIntervalSeconds = 0.5

/** Wakes one of the workers of a job at a time: pg-boss, whose jobs are alarms and nothing else. What is to be done, the ledger says. */
export class Alarm {
  readonly #boss: PgBoss
  readonly #queue: string

  private constructor(boss: PgBoss, queue: string) {
    this.#boss = boss
    this.#queue = queue
  }

  /**
   * Begins to listen.
   * @param onTrouble is told what goes wrong between two alarms, which is tried again
   */
  static async open(
    pool: pg.Pool,
    { schema, job, onTrouble }: { schema: string; job: string; onTrouble: (error: Error) => void },
  ): Promise<Alarm> {
    const boss = new PgBoss({
      db: databaseOf(pool),
      schema: alarmSchema(schema),
      schedule: false,
      superviseIntervalSeconds: 60,
      reindex: false,
      monitorVacuum: false,
      registerInstance: false,
    })
    boss.on('error', onTrouble)
    try {
      await boss.start()
      await boss.createQueue(job, { policy: 'short', ...alarmOptions })
    } catch (error) {
      await boss.stop({ graceful: false }).catch(() => undefined)
      throw startTrouble(error, alarmSchema(schema))
    }
    return new Alarm(boss, job)
  }

  /** Calls back at each alarm that this worker is to answer. What is thrown rings again. */
  async onRing(ring: () => Promise<void>): Promise<void> {
    await this.#boss.work(this.#queue, { pollingIntervalSeconds }, () => ring())
  }

  /** Has it ring at a time (ms UTC), once, in the transaction of the client; nothing where it is set already. */
  async set(client: pg.ClientBase, at: number): Promise<void> {
    await this.#boss.send(this.#queue, null, { startAfter: new Date(at), db: databaseOf(client) })
  }

  async close(): Promise<void> {
    await this.#boss.stop({ graceful: true, timeout: 5_000, close: false })
  }
}

/** How pg-boss reaches the database: a text may be several statements, and it looks for the rows of each of them. */
export function databaseOf(client: Pick<pg.ClientBase, 'query'>) {
  return {
    async executeSql(text: string, values?: unknown[]): Promise<{ rows: unknown[] }> {
      // Statements that take no values may be several, which the server takes as text alone.
      const result: unknown = await (values === undefined ? client.query(text) : client.query(text, values))
      const results = (Array.isArray(result) ? result : [result]) as readonly pg.QueryResult<
        unknown & pg.QueryResultRow
      >[]
      return { rows: results.flatMap(({ rows }) => rows) }
    },
  }
}

function startTrouble(error: unknown, schema: string): Error {
  const trouble = asMillraceError(error, `start the alarm in schema ${schema}`)
  if (!(trouble instanceof ConfigurationError) || !/permission denied/.test(trouble.message)) return trouble
  return new ConfigurationError(
    `${trouble.message}: let somebody who may run CREATE SCHEMA ${schema} AUTHORIZATION the role of DATABASE_URL`,
    { cause: error },
  )
}
