import { relative, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { durationText } from '../../console/text.ts'
import { endLeftServer } from '../../embedded/leftServer.ts'
import { isPidRunning, isSeenFromHere, type ProcessIdentity } from '../../embedded/processIdentity.ts'
import { notedCommands } from '../../host/commandNotes.ts'
import { runningProcesses } from '../../host/processSlots.ts'
import { shownText } from '../../runtime/shownText.ts'
import type { CommandContext } from '../commandContext.ts'
import { exitFailure, exitOk } from '../exit.ts'

/** A process, and what it does, in words. */
interface Found {
  readonly holder: ProcessIdentity
  readonly what: string
}

const lookEveryMs = 50

/** Asks everything that runs on the data folder to end, and waits until it has. */
export async function stop({ settings, output }: CommandContext): Promise<number> {
  const { dataDir, stopWait } = settings
  const found = foundOn(dataDir)
  const here = found.filter(({ holder }) => isSeenFromHere(holder))
  for (const { holder, what } of found.filter(({ holder }) => !isSeenFromHere(holder)))
    output.err(
      `${what} runs in process ${holder.pid} on ${holder.host}, which cannot be reached from here: stop it there.`,
    )
  const startedAt = performance.now()
  const asked = here.filter(({ holder, what }) => ask(holder.pid, () => output.err(notOurs(holder.pid, what))))
  if (here.length === 0) await output.out(`Nothing runs on ${resolve(dataDir)} on this machine.\n`)
  let running = asked
  while (running.length > 0) {
    const ended = running.filter(({ holder }) => !isPidRunning(holder.pid))
    for (const { holder, what } of ended)
      await output.out(
        shownText(`Stopped ${what} (process ${holder.pid}) after ${durationText(performance.now() - startedAt)}.\n`),
      )
    running = running.filter((one) => !ended.includes(one))
    if (running.length === 0 || performance.now() - startedAt >= stopWait * 1_000) break
    await sleep(lookEveryMs)
  }
  for (const { holder, what } of running)
    output.err(
      stopWait === 0
        ? `${what} (process ${holder.pid}) was asked to stop.`
        : `${what} (process ${holder.pid}) has not stopped within ${stopWait} s: see what it says, wait for longer (--wait), or end it with \`kill -KILL ${holder.pid}\`, after which the next start goes on from the last commit.`,
    )
  if (running.length === 0) {
    const server = await endLeftServer(dataDir)
    if (server !== null) await output.out(`Stopped the embedded database (process ${server}), which nobody used.\n`)
  }
  const isDone = found.length === asked.length && (running.length === 0 || stopWait === 0)
  return isDone ? exitOk : exitFailure
}

function foundOn(dataDir: string): readonly Found[] {
  const byPid = new Map<string, Found>()
  const keyOf = ({ host, pid }: ProcessIdentity) => `${host}/${pid}`
  for (const { folder, holder } of runningProcesses(dataDir))
    byPid.set(keyOf(holder), { holder, what: relative(resolve(dataDir), folder) })
  for (const { command, holder } of notedCommands(dataDir)) {
    const also = byPid.get(keyOf(holder))
    byPid.set(keyOf(holder), { holder, what: also === undefined ? command : `${command} (${also.what})` })
  }
  return [...byPid.values()].filter(({ holder }) => holder.pid !== process.pid || !isSeenFromHere(holder))
}

/** False where it is another account's. One that has ended meanwhile is what was wanted. */
function ask(pid: number, onRefused: () => void): boolean {
  try {
    process.kill(pid, 'SIGTERM')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') return true
    onRefused()
    return false
  }
  return true
}

function notOurs(pid: number, what: string): string {
  return `${what} (process ${pid}) belongs to another account: stop it as that one.`
}
