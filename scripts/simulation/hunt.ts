import { twinDifferences } from '../../src/testing/simulation/graphs/twin.ts'
import { runHopGraph } from '../../src/testing/simulation/hops/hopGraph.ts'
import { runHop } from '../../src/testing/simulation/hops/hopRun.ts'
import { runOwners } from '../../src/testing/simulation/owners/ownersRun.ts'
import { drawsGraph, runSeed } from './runSeed.ts'
import { twinScheduleOf } from './twinSchedule.ts'

/** The first seed of a range that shows a difference, and the difference. The saved state is not looked at: there a bug is plain to see. */
const [prover, firstSeed, lastSeed] = [process.argv[2], Number(process.argv[3]), Number(process.argv[4])]

async function differencesOf(seed: number): Promise<readonly string[]> {
  try {
    if (prover === 'twin') return await twinDifferences(twinScheduleOf(seed))
    if (prover === 'owners') return (await runOwners(seed)).untruths
    if (prover === 'hops') return [...(await runHop(seed)).untruths, ...(await runHopGraph(seed)).untruths]
    return (await runSeed(seed)).differences
  } catch (error) {
    return [`! ${error instanceof Error ? error.message : String(error)}`]
  }
}

let seed = firstSeed
// What nobody awaits fails beside the run that it belongs to.
process.once('uncaughtException', (error) => found(`! ${error.message}`))
for (; seed <= lastSeed; seed++) {
  if (prover === 'graphs' && !drawsGraph(seed)) continue
  const shown = (await differencesOf(seed)).find((line) => /^\s*[-+!]/.test(line) && !/^\s*. +state:/.test(line))
  if (shown !== undefined) found(shown)
}

function found(difference: string): never {
  process.stdout.write(`${JSON.stringify({ seed, difference: difference.trim() })}\n`)
  process.exit(1)
}
