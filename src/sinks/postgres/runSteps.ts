import type pg from 'pg'
import { copyIn } from './copyIn.ts'
import { execute, executeText } from './execute.ts'
import { statementBytes } from './statementParts.ts'
import { isStatement, type Step } from './step.ts'
import { together } from './withClient.ts'

/** So much is on its way to the server before its answers are waited for. */
const inFlightBytes = 2 * statementBytes

/**
 * Runs the steps in a transaction of their own.
 *
 * Statements that are small together go out in one piece that the server answers once. Others each have an answer of their own, between BEGIN and COMMIT: they are sent at once as well, and only where there is much to send, answers are waited for in
 * between, for what is sent is in memory until then. After each of these answers the server ends a session that says nothing more.
 */
export async function runTransaction(client: pg.ClientBase, steps: readonly Step[]): Promise<void> {
  const bytes = steps.reduce((sum, step) => sum + step.bytes, 0)
  const statements = steps.filter(isStatement)
  if (bytes <= inFlightBytes && statements.length === steps.length)
    return execute(
      client,
      statements.map(({ statement }) => statement()),
    )
  const begin = () => executeText(client, 'BEGIN')
  const commit = () => executeText(client, 'COMMIT')
  const asked = steps.map((step) => ({ bytes: step.bytes, ask: () => runStep(client, step) }))
  for (const some of inFlight([{ bytes: 0, ask: begin }, ...asked, { bytes: 0, ask: commit }]))
    await together(client, () => some.map(({ ask }) => ask()))
}

/** Runs one step by itself, in the transaction that has begun. */
export function runStep(client: pg.ClientBase, step: Step): Promise<void> {
  return isStatement(step) ? execute(client, [step.statement()]) : copyIn(client, step.copy, step.chunks)
}

function* inFlight<T extends { readonly bytes: number }>(steps: Iterable<T>): Generator<readonly T[]> {
  let some: T[] = []
  let bytes = 0
  for (const step of steps) {
    if (some.length > 0 && bytes + step.bytes > inFlightBytes) {
      yield some
      some = []
      bytes = 0
    }
    some.push(step)
    bytes += step.bytes
  }
  yield some
}
