import type pg from 'pg'
import { countText } from '../console/text.ts'

interface Closed {
  readonly partition: number
  /** Of the embedded log; null for Kafka. */
  readonly earliest: number | null
}

const closedText = `
SELECT DISTINCT ended.partition, log.earliest_offset::float8 AS earliest
FROM idle_advance AS ended LEFT JOIN log_partition AS log ON log.topic = ended.topic AND log.partition = ended.partition
WHERE ended.pipeline = $1 AND ended.topic = $2 AND ended.is_end`

const lateText = `
SELECT count(*)::float8 AS count FROM dead_letter
WHERE pipeline = $1 AND partition = ANY ($2) AND reason = 'late' AND created_at >= $3`

/**
 * Says, once, that records of a run come late only because a run before it has closed what was open: nobody who goes on with a topic that was closed expects that.
 */
export class LateHint {
  readonly #pool: pg.Pool
  readonly #pipeline: string
  readonly #topic: string
  readonly #say: (line: string) => void
  #closed: readonly Closed[] = []
  #since: Date | null = null
  #looking: Promise<void> | null = null
  #hasSpoken = false
  #lettersSeen = 0

  /** @param topic the one that leads */
  constructor(pool: pg.Pool, pipeline: string, topic: string, say: (line: string) => void) {
    this.#pool = pool
    this.#pipeline = pipeline
    this.#topic = topic
    this.#say = say
  }

  /** Looks what was closed before the run. A database that fails has no hint to give: the run itself says what is wrong with it. */
  async begin(): Promise<void> {
    try {
      const { rows } = await this.#pool.query<Closed>(closedText, [this.#pipeline, this.#topic])
      this.#closed = rows
      this.#since = (await this.#pool.query<{ now: Date }>('SELECT now() AS now')).rows[0]?.now ?? null
    } catch {
      this.#closed = []
    }
  }

  /** Looks for late letters, where there are twice as many letters as at the last look: it may have to look through all of them. */
  look(letters: number): Promise<void> {
    const isDue = letters > 0 && letters >= 2 * this.#lettersSeen
    if (!isDue || this.#closed.length === 0 || this.#since === null || this.#hasSpoken) return Promise.resolve()
    this.#lettersSeen = letters
    this.#looking ??= this.#count(this.#since).finally(() => {
      this.#looking = null
    })
    return this.#looking
  }

  async #count(since: Date): Promise<void> {
    const partitions = this.#closed.map(({ partition }) => partition)
    const { rows } = await this.#pool
      .query<{ count: number }>(lateText, [this.#pipeline, partitions, since])
      .catch(() => ({ rows: [] }))
    const count = rows[0]?.count ?? 0
    if (count === 0 || this.#hasSpoken) return
    this.#hasSpoken = true
    this.#say(this.#hint(count))
  }

  #hint(count: number): string {
    const [pipeline, topic] = [this.#pipeline, this.#topic]
    const isWhole = this.#closed.every(({ earliest }) => earliest === null || earliest === 0)
    const remedy = isWhole
      ? `let the pipeline begin anew on the whole topic: \`millrace state drop --pipeline ${pipeline} --topic ${topic}\` says what goes, and does it with --yes; then run it again`
      : `the log no longer has the first records of ${topic}, so bring all of them into a new topic, give the rows away (\`millrace state own --of ${pipeline}/${topic} --to nobody\` says which), and run the pipeline on that topic`
    return (
      `${countText(count)} ${count === 1 ? 'record has come late and is' : 'records have come late and are'} kept as dead letters, because an earlier run has closed what was open in ${topic} (--close-open), and a closed window does not open again. ` +
      `Where they are to count, ${remedy}. Close only with the last of the records.`
    )
  }
}
