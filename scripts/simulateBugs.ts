import { parseArgs } from 'node:util'
import { Random } from '../src/testing/random.ts'
import { Plantation, type Proof, type Verdict } from './simulation/plant.ts'
import { type PlantedBug, plantedBugs } from './simulation/plantedBugs.ts'

const help = `Plants mistakes into a copy of the code, one by one, and asks who should notice: the simulation, the twin, or a file of tests.
Each must turn red, and what has turned red must be green without it: the same seed, or the same file.

  npm run simulate:bugs
  npm run simulate:bugs -- --only 'dedupe'            those whose name has this in it
  npm run simulate:bugs -- --sample 60 --seed 7       sixty of them, drawn by the seed

  --only TEXT   plants some of them   (all)
  --sample N    plants so many of them, drawn by --seed   (all)
  --seed TEXT   draws them   (1)
`

const { values } = parseArgs({
  options: {
    only: { type: 'string', default: '' },
    sample: { type: 'string' },
    seed: { type: 'string', default: '1' },
    help: { type: 'boolean' },
  },
})
/** As many copies are asked side by side. */
const hands = 2

if (values.help === true) process.stdout.write(help)
else await plantAll(sampled(plantedBugs.filter(({ name }) => name.includes(values.only))))

/** As many as are asked for, drawn by the seed; all of them unless told otherwise. */
function sampled(bugs: readonly PlantedBug[]): readonly PlantedBug[] {
  if (values.sample === undefined) return bugs
  const random = new Random(values.seed)
  const drawn = bugs.map((bug) => ({ bug, order: random.fraction() })).toSorted((a, b) => a.order - b.order)
  return drawn.slice(0, Number(values.sample)).map(({ bug }) => bug)
}

async function plantAll(bugs: readonly PlantedBug[]): Promise<void> {
  const startedAt = performance.now()
  const caught: PlantedBug[] = []
  // Several bugs may turn the same red.
  const provedWithout = new Set<string>()
  const redWithout: string[] = []
  const waiting = [...bugs]
  const work = async (hand: number) => {
    const plantation = new Plantation(`${process.pid}-${hand}`)
    process.once('exit', () => plantation.remove())
    for (let bug = waiting.shift(); bug !== undefined; bug = waiting.shift()) {
      const verdict = await plantation.ask(bug)
      say(bug.name, verdict.again, verdict)
      if (!verdict.isRed) continue
      caught.push(bug)
      const name = nameOf(verdict.again)
      if (provedWithout.has(name)) continue
      provedWithout.add(name)
      const without = await plantation.run(verdict.again)
      say('(without a bug)', verdict.again, without)
      if (without.isRed) redWithout.push(name)
    }
    plantation.remove()
  }
  await Promise.all(Array.from({ length: hands }, (_, hand) => work(hand)))

  const missed = bugs.filter((bug) => !caught.includes(bug)).map(({ name }) => name)
  const seconds = Math.round((performance.now() - startedAt) / 100) / 10
  const summary = { bugs: bugs.length, caught: caught.length, missed, red_without_a_bug: redWithout, seconds }
  process.stdout.write(`${JSON.stringify(summary)}\n`)
  process.exitCode = missed.length === 0 && redWithout.length === 0 && bugs.length > 0 ? 0 : 1
}

function say(name: string, proof: Proof, { isRed, because }: Verdict): void {
  const verdict = isRed ? `red    ${because.slice(0, 170)}` : 'green'
  process.stdout.write(`${name.padEnd(74)} ${nameOf(proof).padEnd(36)} ${verdict}\n`)
}

/** The file, or the prover with its seed where it is only one. */
function nameOf({ prover, firstSeed, lastSeed }: Proof): string {
  return firstSeed === lastSeed ? `${prover} ${firstSeed}` : prover
}

for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130))
