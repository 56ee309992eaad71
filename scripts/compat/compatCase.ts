import type { Stage } from './stage.ts'

/** What is tried: a case of one part in one version, through one client where there are several. */
export interface CompatCase {
  readonly part: string
  readonly version: string
  /** Of Kafka, or `-`. */
  readonly client: string
  readonly name: string
  /** Part of the short form. */
  readonly isShort: boolean
  /** Throws what is wrong, or `Skipped`. */
  readonly run: (stage: Stage) => Promise<void>
}

/** What cannot be tried on this machine, and why. */
export class Skipped extends Error {}

/** What came of a case. */
export interface Verdict {
  readonly part: string
  readonly version: string
  readonly client: string
  readonly case: string
  readonly verdict: 'right' | 'wrong' | 'skipped'
  readonly why: string | null
  readonly seconds: number
}

export function nameOf({ part, version, client, name }: CompatCase): string {
  return [part, version, client, name].join(' ')
}
