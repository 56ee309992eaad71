// Ends what a run of the tests has started and has left behind, however the run came to its end: `startGuardian` starts it, with the id of the run's process.
import { setTimeout as sleep } from 'node:timers/promises'
import { allProcesses, isAlive, processOf, type Seen } from './processes.ts'
import { isSharedAndUsed } from './sharedServers.ts'

const pollMs = 500
const graceMs = 10_000

const run = processOf(Number(process.argv[2]))
if (run !== null) {
  const started = await watch(run)
  const servers = started.filter(isServer)
  // Whoever uses a server goes first: those end theirs, or are no users of it any more.
  await end(started.filter((one) => !isServer(one)))
  await end(servers.filter((one) => !isSharedAndUsed(one)))
}

/** All that descends from the run, once the run is no more. One whose parent ends before is still known. */
async function watch(run: Seen): Promise<readonly Seen[]> {
  const known = new Map<number, Seen>([[run.pid, run]])
  while (isAlive(run)) {
    for (const [pid, seen] of known) if (pid !== run.pid && !isAlive(seen)) known.delete(pid)
    addDescendants(known)
    await sleep(pollMs)
  }
  addDescendants(known)
  known.delete(run.pid)
  return [...known.values()].filter(isAlive)
}

function addDescendants(known: Map<number, Seen>): void {
  const all = allProcesses()
  for (let grew = true; grew; ) {
    grew = false
    for (const seen of all.values()) {
      if (seen.pid === process.pid || known.has(seen.pid) || !known.has(seen.parent)) continue
      known.set(seen.pid, seen)
      grew = true
    }
  }
}

function isServer({ name }: Seen): boolean {
  return name === 'postgres' || name === 'java'
}

async function end(left: readonly Seen[]): Promise<void> {
  // PostgreSQL takes SIGTERM for a wish to wait until its clients have gone.
  for (const one of left) signal(one, one.name === 'postgres' ? 'SIGINT' : 'SIGTERM')
  const deadline = performance.now() + graceMs
  while (left.some(isAlive) && performance.now() < deadline) await sleep(50)
  for (const one of left) signal(one, 'SIGKILL')
}

function signal(one: Seen, name: NodeJS.Signals): void {
  if (!isAlive(one)) return
  try {
    process.kill(one.pid, name)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}
