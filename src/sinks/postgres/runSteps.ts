import type pg from 'pg'
import { statementBytes } from './statementParts.ts'
import type { Step } from './tableWriter.ts'
import { together } from './withClient.ts'

/** So much is on its way to the server before its answers are waited for. */
const inFlightBytes = 2 * statementBytes

/**
 * Sends the steps at once, as far as they are small, so that most transactions take one round trip. Where there is much to send, answers are waited for in between: what
 * is sent is in memory until then.
 */
export async function runTogether(client: pg.ClientBase, steps: Iterable<Step>): Promise<void> {
  for (const some of inFlight(steps)) await together(client, () => some.map((step) => step(client)))
}

function* inFlight(steps: Iterable<Step>): Generator<readonly Step[]> {
  let some: Step[] = []
  let bytes = 0
  for (const step of steps) {
    const size = step.bytes ?? 0
    if (some.length > 0 && bytes + size > inFlightBytes) {
      yield some
      some = []
      bytes = 0
    }
    some.push(step)
    bytes += size
  }
  yield some
}
