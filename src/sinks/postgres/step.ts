import type { Statement } from './execute.ts'

/** Something to do inside a transaction. */
export type Step = StatementStep | CopyStep

export interface StatementStep {
  /** What it sends, roughly; 0 where that is little. */
  readonly bytes: number
  /** Makes what it sends, when its turn comes. */
  readonly statement: () => Statement
}

/** A COPY … FROM STDIN of chunks that are whole rows; nobody may write into them until the transaction has ended. */
export interface CopyStep {
  readonly bytes: number
  readonly copy: string
  readonly chunks: readonly Uint8Array[]
}

export function isStatement(step: Step): step is StatementStep {
  return 'statement' in step
}
