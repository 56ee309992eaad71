import { readdirSync, readFileSync } from 'node:fs'
import type { ColumnValue, SavedCheckpoint } from '../../src/index.ts'
import type { PipelineName } from './pipelines.ts'

/** A record of a log, its value as text. */
export interface GoldenRecord {
  readonly offset: number
  readonly timestamp: number
  readonly value: string
}

/** What is pushed after a restore, and the idle step that ends it. */
export interface Continuation {
  readonly rest: readonly GoldenRecord[]
  /** How many records of the rest come before the second restart. */
  readonly restartAfter: number
  /** The watermark of the idle step after the last record. */
  readonly idleTo: number
}

export interface Results {
  /** By table, in the order of writing; columns in the order of the table, bigints as text. */
  readonly rows: Readonly<Record<string, readonly (readonly Exclude<ColumnValue, bigint>[])[]>>
  readonly deadLetters: readonly (readonly [offset: number, operator: string, reason: string, ordinal: number])[]
}

/** A checkpoint as a release wrote it, and what that release made of the records after it. */
export interface Golden extends Continuation {
  readonly pipeline: PipelineName
  readonly saved: SavedCheckpoint
  readonly expected: Results
}

export const goldenFolder = new URL('./', import.meta.url)

/** The golden checkpoints of all releases, by release and name. */
export function readGoldens(): [release: string, name: string, golden: Golden][] {
  return readdirSync(goldenFolder)
    .filter((entry) => /^v[0-9]/.test(entry))
    .flatMap((release) =>
      readdirSync(new URL(release, goldenFolder)).map((file): [string, string, Golden] => {
        const text = readFileSync(new URL(`${release}/${file}`, goldenFolder), 'utf8')
        return [release, file.replace(/\.json$/, ''), JSON.parse(text) as Golden]
      }),
    )
}
