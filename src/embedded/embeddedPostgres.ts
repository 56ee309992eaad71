import { existsSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { ConfigurationError, RetryableError } from '../runtime/errors.ts'
import type { PostgresConnection } from '../sinks/postgres/connection.ts'
import { type Binaries, prepareBinaries } from './binaries.ts'
import { chooseFreePort, choosePort, connectionTo, isPortFree, prepareCluster, prepareDatabase } from './cluster.ts'
import { withFileLock } from './fileLock.ts'
import { sweepForsakenClusters } from './forsakenClusters.ts'
import { type Layout, prepareLayout, type ServerAccount, serverAccount } from './layout.ts'
import { leaveAtExit } from './leaveAtExit.ts'
import type { ProcessIdentity } from './processIdentity.ts'
import { findServer, type RunningServer, startServer, stopServer, waitUntilReady } from './serverProcess.ts'
import { type ServerStatus, watchServer } from './supervisor.ts'
import { addUser, awaitNoForeignUser, countUsers, type UserNote } from './users.ts'

/** How the server is started, and who hears of it. */
export interface StartOptions {
  /** Instead of the remembered, or at first a free one. */
  readonly port?: number
  /** One line for people on what takes a moment. */
  readonly onProgress?: (line: string) => void
  /** Called when the server was found dead, at each failed attempt to start it, and when it runs again. */
  readonly onStatus?: (status: ServerStatus) => void
}

/** A PostgreSQL of a data folder, shared by all processes that use the folder. */
export interface EmbeddedPostgres {
  /** How to reach the server. Holds its password. */
  readonly connection: PostgresConnection
  /** False when it ran already. */
  readonly isStartedHere: boolean
  /** The process id of the server that runs now, or null while none does. */
  readonly serverPid: number | null
  /** Lets go. The last process that does so stops the server; whoever is killed instead leaves it to the next. */
  stop(): Promise<void>
}

// Longer than a first start with initdb on a slow disk, or the recovery after a crash.
const lockTimeoutMs = 120_000
const stopTimeoutMs = 60_000

/**
 * Gives the database that lives in the data folder: joins the server if one runs, whoever started it, and starts it otherwise. While
 * this process uses it, a server that dies is started again. Throws `ConfigurationError` where a person has to act.
 */
export async function startOrJoin(dataDir: string, options: StartOptions = {}): Promise<EmbeddedPostgres> {
  const onProgress = options.onProgress ?? (() => {})
  const layout = prepareLayout(dataDir, onProgress)
  const account = serverAccount(layout)
  const binaries = prepareBinaries(account, onProgress)

  const tellHolder = ({ pid, host }: ProcessIdentity) =>
    onProgress(
      `Waiting for process ${pid} on ${host}, which is starting or stopping the database of ${dataDir}. If it does nothing, end it.`,
    )
  let note: UserNote | null = null
  const hasLeft = leaveAtExit(layout, () => note)
  const join = async () => {
    let server = await waitUntilReady(layout, lockTimeoutMs)
    const isStartedHere = server === null
    try {
      if (server === null) {
        if (!existsSync(layout.cluster)) await sweepForsakenClusters()
        await awaitNoForeignUser(layout)
        await prepareCluster(layout, binaries, account, onProgress)
        const port = await portForStart(layout, options.port, onProgress)
        server = await startPatiently(layout, binaries, account, port, onProgress)
      }
      const connection = connectionTo(layout, server.port)
      await prepareDatabase(layout, connection, onProgress)
      note = addUser(layout)
      return { server, connection, isStartedHere, note }
    } catch (error) {
      if (isStartedHere && countUsers(layout) === 0) await stopServer(layout, stopTimeoutMs)
      throw error
    }
  }
  const joined = await withFileLock(layout.lock, lockTimeoutMs, join, tellHolder).catch((error: unknown) => {
    hasLeft()
    throw error
  })

  const supervisor = watchServer({
    isAlive: () => findServer(layout) !== null,
    restart: () =>
      withFileLock(layout.lock, lockTimeoutMs, async () => {
        const running = await waitUntilReady(layout, lockTimeoutMs)
        const { port } = joined.server
        return (running ?? (await startServer(layout, binaries, account, port, onProgress))).pid
      }),
    onStatus: options.onStatus ?? (() => {}),
  })

  let stopping: Promise<void> | null = null
  return {
    connection: joined.connection,
    isStartedHere: joined.isStartedHere,
    get serverPid() {
      return findServer(layout)?.pid ?? null
    },
    stop() {
      stopping ??= supervisor.stop().then(() =>
        withFileLock(layout.lock, lockTimeoutMs, async () => {
          joined.note.remove()
          if (countUsers(layout) === 0) await stopServer(layout, stopTimeoutMs)
          hasLeft()
        }),
      )
      return stopping
    },
  }
}

// Others that use the folder know the remembered port, so it moves only while there are none.
async function portForStart(
  layout: Layout,
  wanted: number | undefined,
  onProgress: (line: string) => void,
): Promise<number> {
  const port = await choosePort(layout, wanted)
  if (await isPortFree(port)) return port
  if (wanted !== undefined) {
    throw new ConfigurationError(
      `port ${port} for PostgreSQL is taken by another program: end it, or choose another port`,
    )
  }
  if (countUsers(layout) > 0) return port
  const other = await chooseFreePort(layout)
  onProgress(`Port ${port} is taken by another program; PostgreSQL uses ${other} from now on`)
  return other
}

// Children of a server that was killed may hold its shared memory for a moment longer.
async function startPatiently(
  layout: Layout,
  binaries: Binaries,
  account: ServerAccount | null,
  port: number,
  onProgress: (line: string) => void,
): Promise<RunningServer> {
  const deadline = performance.now() + 20_000
  for (;;) {
    try {
      return await startServer(layout, binaries, account, port, onProgress)
    } catch (error) {
      const isPassing = error instanceof RetryableError && error.message.includes('still ending')
      if (!isPassing || performance.now() > deadline) throw error
      await sleep(100)
    }
  }
}
