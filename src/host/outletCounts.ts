import type { Checkpoint, Claim } from '../runtime/checkpoint.ts'
import { PostgresCheckpointStore } from '../sinks/postgres/checkpointStore.ts'
import type { PostgresAddress } from '../sinks/postgres/connection.ts'
import type { OutletPlan } from './outletPlan.ts'

/** How much an outlet has taken, since the start of the process. */
export interface OutletCount {
  /** As the pipeline calls it. */
  readonly outlet: string
  readonly kind: 'rows' | 'messages'
  /** The table, the topic or the destination. */
  readonly to: string
  /** What was committed for it. */
  readonly count: number
}

/** The checkpoint store of a run, which counts by outlet what it commits. Rows of outlets that share a table count for the first of them. */
export class CountingCheckpointStore extends PostgresCheckpointStore {
  readonly #plan: OutletPlan
  readonly #counts = new Map<string, number>()

  constructor(address: PostgresAddress, schema: string, plan: OutletPlan) {
    super(address, { schema })
    this.#plan = plan
  }

  override async commit(claim: Claim, checkpoint: Checkpoint): Promise<void> {
    await super.commit(claim, checkpoint)
    for (const { table, rows } of checkpoint.writes) {
      const outlet = this.#plan.ends.find(({ kind, to }) => kind === 'rows' && to === table.name)?.outlet
      if (outlet !== undefined) this.#add(outlet, rows.length)
    }
    for (const { outlet, messages } of checkpoint.messages ?? []) this.#add(outlet, messages.length)
  }

  /** In the order in which the pipeline names them. */
  outlets(): readonly OutletCount[] {
    return this.#plan.ends.map((end) => ({ ...end, count: this.#counts.get(end.outlet) ?? 0 }))
  }

  #add(outlet: string, count: number): void {
    this.#counts.set(outlet, (this.#counts.get(outlet) ?? 0) + count)
  }
}

/** The counts of several processes, or lives of one, as one list. */
export function addedOutlets(lists: readonly (readonly OutletCount[])[]): readonly OutletCount[] {
  const sums = new Map<string, OutletCount>()
  for (const one of lists.flat()) {
    const before = sums.get(one.outlet)
    sums.set(one.outlet, before === undefined ? one : { ...one, count: before.count + one.count })
  }
  return [...sums.values()]
}
