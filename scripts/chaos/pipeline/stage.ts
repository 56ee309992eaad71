import type { OpenedTopic } from '../../../src/host/openedTopic.ts'
import type { LogSource } from '../../../src/runtime/log/log.ts'
import type { PostgresAddress } from '../../../src/sinks/postgres/connection.ts'
import type { Random } from '../../../src/testing/random.ts'
import type { WorkerPlace, WorkerProcess } from '../workers.ts'

/** Told of a worker that ended by itself with an error. */
export type OnGaveUp = (worker: WorkerProcess, code: number) => void

/** Workers, and what strikes them and what they work with. */
export interface Faults {
  readonly kills: number
  readonly faults: number
  readonly counts: Readonly<Record<string, number>>
  /** Of workers. */
  readonly starts: number
  /** Resolves after so many kills, with everything running again. */
  strike(kills: number): Promise<void>
  /** Lets the workers end tidily. */
  end(): Promise<void>
  kill(): void
}

/** Workers of one of several pipelines. */
export interface StruckWorkers {
  readonly place: WorkerPlace
  readonly pipeline: string
}

/** A log, a database and an archive on which a pipeline is tried. */
export interface Stage {
  readonly place: WorkerPlace
  readonly database: PostgresAddress
  readonly partitions: number
  openTopic(topic: string): Promise<OpenedTopic>
  /** Its records, for the script itself. */
  openSource(topic: string): Promise<LogSource>
  /** The objects of the archive by their keys. */
  objects(): ReadonlyMap<string, Buffer>
  /** @param of whose workers; those of the place if left out */
  faults(random: Random, onGaveUp: OnGaveUp, of?: StruckWorkers): Faults
}

/** Clients of Kafka that workers may use. */
export type KafkaClient = 'wire' | 'kafkajs'

/** What a stage is made for. */
export interface StageOptions {
  /** A folder that goes with the run. */
  readonly folder: string
  readonly run: readonly string[]
  readonly nodeFlags: readonly string[]
  readonly env: Readonly<Record<string, string>>
  /** Of Kafka. */
  readonly client: KafkaClient
  /** That the pipeline reads. */
  readonly topics: readonly string[]
  /** How long these keep records; 24 if left out. */
  readonly retentionHours?: number
  readonly say: (line: string) => void
  /** Gets what is to be closed, the last first. */
  readonly closing: (() => Promise<unknown> | unknown)[]
}
