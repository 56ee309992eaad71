import { type MonitorFacts, readMonitorFacts } from '../../queries/monitorFacts.ts'
import { collectStatus, type NamedStatus, type Status } from '../collectStatus.ts'
import type { CommandContext } from '../commandContext.ts'

/** A data set, and what is watched of it besides. */
export interface WatchedDataSet extends NamedStatus {
  readonly facts: MonitorFacts
}

/** What there is to watch at one moment. */
export interface Watched extends Omit<Status, 'dataSets'> {
  /** ms UTC. */
  readonly at: number
  readonly dataSets: readonly WatchedDataSet[]
}

/** Looks once at what runs on the data folder and what its database tells. */
export async function lookAround(context: CommandContext, now: number): Promise<Watched> {
  const facts = new Map<string, MonitorFacts>()
  const status = await collectStatus(context, async (client, schema) => {
    facts.set(schema, await readMonitorFacts(client))
  })
  return {
    ...status,
    at: now,
    dataSets: status.dataSets.map((one) => ({ ...one, facts: facts.get(one.schema) as MonitorFacts })),
  }
}

/** Records of the past have no lag behind the clock that anybody could do something about. */
export function isOfThePast(topic: string): boolean {
  return topic.includes('.tape.')
}
