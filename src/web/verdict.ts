import { countText, durationText } from '../console/text.ts'
import type { PipelineView, TaskView } from './pipelineView.ts'

/** How much something matters: `good` needs nobody, `busy` passes by itself, `warn` wants a look, `bad` wants it now, `off` is nothing that runs. */
export type Level = 'good' | 'busy' | 'warn' | 'bad' | 'off'

/** What to say of a pipeline in a line. */
export interface Verdict {
  readonly level: Level
  readonly text: string
}

/** One thing that is not as it should be. */
export interface Worry {
  readonly level: Level
  /** Which part: a partition, or the id of a node of the graph; null for the whole. */
  readonly where: string | null
  readonly text: string
}

/** What a verdict is made of. */
export type Judged = Omit<PipelineView, 'verdict' | 'worries'> & {
  /** True where a report of another release could not be read. */
  readonly isUnread: boolean
  /** ms UTC since when there is something to wait for. */
  readonly waitingSince: number | null
}

const order: readonly Level[] = ['bad', 'warn', 'busy', 'off', 'good']
const mostWorries = 30

/** Fewer records than that are no lag to speak of. */
const lagRecordsWorthTelling = 1_000
const longWaitMs = 30_000
const oldCommitMs = 15_000
const growthSamples = 30

/** Everything that is not as it should be, the worst first. */
export function worriesOf(facts: Judged, now: number): readonly Worry[] {
  const worries = [
    ...processWorries(facts, now),
    ...taskWorries(facts.tasks),
    ...lagWorries(facts, now),
    ...outletWorries(facts),
    ...feedWorries(facts, now),
    ...letterWorries(facts),
  ]
  return worries.sort((a, b) => order.indexOf(a.level) - order.indexOf(b.level)).slice(0, mostWorries)
}

/** The worst in a line, or that all is well. */
export function judge(facts: Judged, worries: readonly Worry[], now: number): Verdict {
  const [newest] = facts.processes
  if (newest === undefined) return { level: 'off', text: 'nothing is known of it yet' }
  if (facts.processes.every(({ state }) => state === 'ended')) {
    return { level: 'off', text: `stopped in order ${durationText(Math.max(0, now - (newest.endedAt ?? now)))} ago` }
  }
  const [worst] = worries.filter(({ level }) => level !== 'off')
  if (worst === undefined || worst.where === 'letters') return { level: 'good', text: 'healthy' }
  return { level: worst.level, text: worst.text }
}

function processWorries({ processes, isUnread, waitingSince }: Judged, now: number): readonly Worry[] {
  const isAnyLive = processes.some(({ state }) => state === 'runs')
  return [
    ...(isUnread
      ? [
          {
            level: 'warn',
            where: null,
            text: 'a process of another release runs it, whose report cannot be read',
          } as const,
        ]
      : []),
    ...processes.flatMap(({ process, state, ageMs, waitingFor }): readonly Worry[] => {
      if (state === 'silent') {
        // One that was killed and has a successor is history.
        return isAnyLive && ageMs > longWaitMs
          ? []
          : [{ level: 'bad', where: null, text: `${process} has not reported for ${durationText(ageMs)}` }]
      }
      if (state !== 'runs' || waitingFor === null) return []
      const waited = waitingSince === null ? 0 : Math.max(0, now - waitingSince)
      const since = waited < 1_000 ? '' : `, ${durationText(waited)}`
      return [{ level: waited > longWaitMs ? 'bad' : 'warn', where: null, text: `waiting for ${waitingFor}${since}` }]
    }),
  ]
}

function taskWorries(tasks: readonly TaskView[]): readonly Worry[] {
  const owners = new Map<number, TaskView[]>()
  for (const task of tasks) {
    if (task.phase === 'running') owners.set(task.partition, [...(owners.get(task.partition) ?? []), task])
  }
  return [
    ...[...owners].flatMap(([partition, both]): readonly Worry[] =>
      new Set(both.map(({ process }) => process)).size < 2
        ? []
        : [
            {
              level: 'bad',
              where: `partition ${partition}`,
              text: `two owners: ${both.map(({ process, generation }) => `${process} (generation ${generation})`).join(' and ')} both work on partition ${partition}; the older one is fenced at its next commit`,
            },
          ],
    ),
    ...tasks.flatMap((task): readonly Worry[] => [
      ...(task.phase === 'fenced'
        ? [
            {
              level: 'warn',
              where: `partition ${task.partition}`,
              text: `partition ${task.partition} of ${task.process} was taken over by another owner`,
            } as const,
          ]
        : []),
      ...(task.restarts > 0
        ? [
            {
              level: task.restarts > 3 ? 'warn' : 'busy',
              where: `partition ${task.partition}`,
              text: `partition ${task.partition} began again ${task.restarts} times after a failure`,
            } as const,
          ]
        : []),
    ]),
  ]
}

function lagWorries(facts: Judged, now: number): readonly Worry[] {
  const { lagRecords, recordsPerS, checkpointAgeMs, processes, trend } = facts
  if (!processes.some(({ state }) => state === 'runs') || lagRecords === null) return []
  const worries: Worry[] = []
  const before = trend.lagRecords.at(-growthSamples)
  const isGrowing =
    before !== undefined &&
    lagRecords > lagRecordsWorthTelling &&
    lagRecords > before * 1.5 &&
    lagRecords - before > 500
  const isBehind = lagRecords > Math.max(lagRecordsWorthTelling, recordsPerS * 3)
  if (isGrowing) {
    worries.push({
      level: 'warn',
      where: null,
      text: `lag grows: ${countText(lagRecords)} records, ${countText(before)} half a minute ago`,
    })
  } else if (isBehind) {
    const left = recordsPerS > 0 ? `, about ${durationText((lagRecords / recordsPerS) * 1_000)} at this rate` : ''
    worries.push({ level: 'busy', where: null, text: `catching up: ${countText(lagRecords)} records behind${left}` })
  }
  if (checkpointAgeMs !== null && checkpointAgeMs > oldCommitMs && lagRecords > 0) {
    worries.push({ level: 'warn', where: null, text: `nothing was committed for ${durationText(checkpointAgeMs)}` })
  }
  const furthest = facts.tasks.reduce((most, task) => Math.max(most, behind(task)), 0)
  for (const task of facts.tasks) {
    if (behind(task) > lagRecordsWorthTelling && behind(task) === furthest && facts.tasks.length > 1) {
      const age =
        task.committedAt === null ? '' : `, last commit ${durationText(Math.max(0, now - task.committedAt))} ago`
      worries.push({
        level: 'busy',
        where: `partition ${task.partition}`,
        text: `partition ${task.partition} is furthest behind: ${countText(behind(task))} records${age}`,
      })
    }
  }
  for (const { name, heldBy } of facts.operators) {
    if (heldBy !== null) worries.push({ level: 'busy', where: `operator:${name}`, text: `${name} waits for ${heldBy}` })
  }
  return worries
}

function outletWorries({ outlets }: Judged): readonly Worry[] {
  return outlets.flatMap(({ outlet, to, waiting, refused }): readonly Worry[] => [
    ...(refused > 0
      ? [
          {
            level: 'warn',
            where: `outlet:${outlet}`,
            text: `${to} refused ${countText(refused)} messages of ${outlet}`,
          } as const,
        ]
      : []),
    ...(waiting > lagRecordsWorthTelling
      ? [
          {
            level: 'busy',
            where: `outlet:${outlet}`,
            text: `${countText(waiting)} messages of ${outlet} wait to be sent`,
          } as const,
        ]
      : []),
  ])
}

function feedWorries({ feeds }: Judged, now: number): readonly Worry[] {
  return feeds.flatMap(({ name, troubles }) =>
    troubles.map(
      ({ what, since }): Worry => ({
        level: 'warn',
        where: `feed ${name}`,
        text: `${name}: ${what}, for ${durationText(Math.max(0, now - since))}`,
      }),
    ),
  )
}

function letterWorries({ deadLetters }: Judged): readonly Worry[] {
  return deadLetters === 0
    ? []
    : [{ level: 'busy', where: 'letters', text: `${countText(deadLetters)} records were set aside since the start` }]
}

function behind({ logEndOffset, committedOffset }: TaskView): number {
  return Math.max(0, logEndOffset - committedOffset)
}
