import { setTimeout as sleep } from 'node:timers/promises'
import type { Random } from '../../src/testing/random.ts'
import type { CliRun } from './cliRun.ts'

export type Disturbance = 'kill-worker' | 'kill-postgres' | 'kill-both' | 'suspend-worker'

const mix: readonly Disturbance[] = [
  ...Array<Disturbance>(5).fill('kill-worker'),
  ...Array<Disturbance>(3).fill('kill-postgres'),
  ...Array<Disturbance>(2).fill('kill-both'),
  ...Array<Disturbance>(2).fill('suspend-worker'),
]

/** What happened, by kind; `atWork` counts those that met a worker with everything open. */
export interface DisturbanceCounts extends Record<Disturbance, number> {
  atWork: number
}

export function noDisturbances(): DisturbanceCounts {
  return { 'kill-worker': 0, 'kill-postgres': 0, 'kill-both': 0, 'suspend-worker': 0, atWork: 0 }
}

export function killsOf(counts: DisturbanceCounts): number {
  return counts['kill-worker'] + counts['kill-postgres'] + counts['kill-both']
}

/** Disturbs the run again and again, at seeded moments, until it has ended or `mayGoOn` says no. */
export async function disturb(
  run: CliRun,
  random: Random,
  counts: DisturbanceCounts,
  mayGoOn: () => boolean,
): Promise<void> {
  for (;;) {
    // Mostly while it works; now and then while it starts.
    const isEarly = random.chance(0.15)
    while (!isEarly && !run.isAtWork && !run.hasEnded) await sleep(20)
    await Promise.race([run.ended, sleep(random.int(5, random.chance(0.5) ? 300 : 1_500))])
    if (run.hasEnded || !mayGoOn()) return
    const kind = random.pick(mix)
    if (!(await act(run, kind, random))) continue
    counts[kind]++
    if (run.isAtWork) counts.atWork++
  }
}

async function act(run: CliRun, kind: Disturbance, random: Random): Promise<boolean> {
  switch (kind) {
    case 'kill-worker':
      return run.signal('SIGKILL')
    case 'kill-postgres':
      return run.killPostgres()
    case 'kill-both': {
      const isServerKilled = run.killPostgres()
      return run.signal('SIGKILL') && isServerKilled
    }
    case 'suspend-worker': {
      // Longer than a commit takes, so that whatever is under way times out, breaks off or is overtaken.
      if (!run.signal('SIGSTOP')) return false
      await sleep(random.int(500, 2_500))
      return run.signal('SIGCONT')
    }
  }
}
