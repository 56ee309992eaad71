import { afterAll, expect, it } from 'vitest'
import { Plantation } from '../../scripts/simulation/plant.ts'
import { plantedBugs } from '../../scripts/simulation/plantedBugs.ts'

const plantation = new Plantation(`test-${process.pid}`)
afterAll(() => plantation.remove())

it('tells the seed that shows a planted bug, which is green without it', async () => {
  const bug = plantedBugs.find(({ name }) => name === 'a marker goes to one partition of its topic')
  if (bug === undefined) throw new Error('there is no such bug')
  const { isRed, because, again } = await plantation.ask(bug)
  expect({ isRed, again }, because).toEqual({ isRed: true, again: { prover: 'hops', firstSeed: 1, lastSeed: 1 } })
  expect(await plantation.run(again)).toMatchObject({ isRed: false, again })
})

it('takes code that cannot be run for no proof', async () => {
  const { prover, ...bug } = { ...plantedBugs[0]!, prover: 'hops' } as const
  const hunt = plantation.ask({
    ...bug,
    prover,
    file: 'scripts/simulation/hunt.ts',
    from: "from './runSeed.ts'",
    to: "from './gone.ts'",
  })
  await expect(hunt).rejects.toThrow('gone.ts')
})
