import { map, type Observable } from 'rxjs'
import { describe, expect, it } from 'vitest'
import { decode } from '../../../src/operators/decode.ts'
import { mapAsync } from '../../../src/operators/mapAsync.ts'
import type { RecordView } from '../../../src/runtime/log/record.ts'
import { stateful } from '../../../src/runtime/operator/stateful.ts'
import { definePipeline } from '../../../src/runtime/pipeline/pipeline.ts'
import type { Table } from '../../../src/runtime/store/table.ts'
import { randomAdversity } from '../../../src/testing/simulation/adversity.ts'
import { differencesOf } from '../../../src/testing/simulation/outcome.ts'
import { runUninterrupted, runWithAdversity, type SimulationOptions } from '../../../src/testing/simulation/simulate.ts'

interface Total {
  readonly count: number
  readonly sum: number
}

const totals: Table<Total> = {
  name: 'totals',
  mode: 'append',
  columns: [
    { name: 'count', type: 'integer', of: (row) => row.count },
    { name: 'sum', type: 'integer', of: (row) => row.sum },
  ],
}

/** Running totals, one row a record; a forgetful one keeps them where no checkpoint sees them. */
const running = (isForgetful: boolean) =>
  definePipeline({
    name: 'running',
    build: (records: Observable<RecordView>) => ({
      totals: {
        kind: 'rows',
        table: totals,
        values: records.pipe(
          decode({ decode: (record) => Number(record.valueText()) }),
          stateful<number, Total>({ name: 'total' }, (restored, out) => {
            const saved = isForgetful ? undefined : restored.snapshot
            let total = (saved ?? { count: 0, sum: 0 }) as unknown as Total
            return {
              onValue(value) {
                total = { count: total.count + 1, sum: total.sum + value }
                out.emit(total)
              },
              snapshot: () => ({ ...total }),
            }
          }),
          map((row) => row),
        ),
      },
    }),
  })

function simulation(isForgetful: boolean): SimulationOptions {
  const records = Array.from({ length: 60 }, (_, i) => {
    return { partition: 0, timestamp: i, key: null, value: Buffer.from(String(i)) }
  })
  return { pipeline: running(isForgetful), topic: 'numbers', partitions: 1, records, archive: null, closesOpen: true }
}

async function compare(options: SimulationOptions, seeds: number) {
  const plain = await runUninterrupted(options)
  let crashes = 0
  const differences: string[] = []
  for (let seed = 0; seed < seeds; seed++) {
    const result = await runWithAdversity(options, randomAdversity(seed))
    crashes += result.crashes
    differences.push(...differencesOf(plain, result.outcome), ...result.violations.map(String))
  }
  return { plain, crashes, differences }
}

describe('simulation of a pipeline of one’s own', () => {
  it('leaves rows that are only ever added exactly once, through crashes, zombies and lost replies', async () => {
    const { plain, crashes, differences } = await compare(simulation(false), 30)
    expect(plain.get('table totals')).toHaveLength(60)
    expect(crashes).toBeGreaterThan(30)
    expect(differences).toEqual([])
  })

  it('shows state that is not saved', async () => {
    const { differences } = await compare(simulation(true), 10)
    expect(differences.some((line) => line.startsWith('+ table totals'))).toBe(true)
  })

  it('leaves the result of asynchronous work exactly once and in order', async () => {
    const doubling = definePipeline({
      name: 'doubling',
      build: (records: Observable<RecordView>) => ({
        totals: {
          kind: 'rows',
          table: totals,
          values: records.pipe(
            decode({ decode: (record) => Number(record.valueText()) }),
            mapAsync(
              async (value) => {
                for (let i = 0; i < value % 5; i++) await null
                return { count: value, sum: value * 2 }
              },
              { concurrency: 7 },
            ),
          ),
        },
      }),
    })
    const { plain, differences } = await compare({ ...simulation(false), pipeline: doubling }, 20)
    expect(plain.get('table totals')?.[59]).toBe('{"count":59,"sum":118}')
    expect(differences).toEqual([])
  })
})
