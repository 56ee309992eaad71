import { constants } from 'node:fs'
import { access, stat, statfs } from 'node:fs/promises'
import { createServer } from 'node:net'
import { dirname, join, relative, resolve } from 'node:path'
import { bytesText } from '../console/text.ts'
import { prepareBinaries, probeBinaries } from '../embedded/binaries.ts'
import { withKafkaAdmin } from '../host/kafkaTopics.ts'
import { archiveLocation, openArchive } from '../host/openArchive.ts'
import { plainArchive, plainConnectionWarning, plainKafka } from '../host/plainConnections.ts'
import { runningProcesses } from '../host/processSlots.ts'
import { readRunReport } from '../host/runReport.ts'
import { s3Access } from '../host/s3Access.ts'
import { systemClock } from '../runtime/clock.ts'
import { MillraceError } from '../runtime/errors.ts'
import { versionProblem } from '../runtime/nodeVersion.ts'
import { probeStore } from '../sinks/objects/probeStore.ts'
import { parseDatabaseUrl } from '../sinks/postgres/databaseUrl.ts'
import type { CommandContext } from './commandContext.ts'
import { databaseExists, withDatabase } from './database.ts'
import { oneLine } from './exit.ts'
import { kafkaConnection } from './kafkaConnection.ts'
import { schemasOf } from './schemas.ts'
import type { SettingValues } from './settings.ts'

export type Level = 'ok' | 'warn' | 'fail'

export interface CheckResult {
  readonly name: string
  readonly level: Level
  /** What was found. */
  readonly found: string
  /** What to do, where there is something to do. */
  readonly remedy: string | null
}

const warnBelowBytes = 2_000_000_000
const failBelowBytes = 200_000_000

export function ok(name: string, found: string): CheckResult {
  return { name, level: 'ok', found, remedy: null }
}

export async function checkNode(version: string): Promise<CheckResult> {
  const problem = versionProblem(version)
  if (problem === null) return ok('node', `Node ${version}`)
  return { name: 'node', level: 'fail', found: `Node ${version}`, remedy: problem }
}

/** The data folder, or the nearest folder above it that is there, must be one that this account may write into. */
export async function checkFolder(dataDir: string): Promise<CheckResult> {
  const name = 'data folder'
  const folder = resolve(dataDir)
  const existing = await nearestExisting(folder)
  try {
    if (!(await stat(existing)).isDirectory()) {
      return { name, level: 'fail', found: `${existing} is not a folder`, remedy: 'Name another one with --data-dir.' }
    }
    await access(existing, constants.R_OK | constants.W_OK | constants.X_OK)
  } catch (error) {
    const remedy = 'Give this account read and write access, or name another folder with --data-dir.'
    return { name, level: 'fail', found: `${existing} is not accessible (${codeOf(error)})`, remedy }
  }
  return ok(name, existing === folder ? `${folder} is writable` : `${folder} will be made in ${existing}`)
}

export async function checkDisk(
  dataDir: string,
  freeBytes: (folder: string) => Promise<number> = freeBytesOf,
): Promise<CheckResult> {
  const name = 'disk'
  const folder = await nearestExisting(resolve(dataDir))
  const free = await freeBytes(folder)
  const found = `${bytesText(free)} free at ${folder}`
  if (free < failBelowBytes)
    return { name, level: 'fail', found, remedy: 'Free some space, or name another --data-dir.' }
  if (free < warnBelowBytes)
    return { name, level: 'warn', found, remedy: 'A busy day needs more; free some space soon.' }
  return ok(name, found)
}

async function freeBytesOf(folder: string): Promise<number> {
  const { bavail, bsize } = await statfs(folder)
  return bavail * bsize
}

/** Whether programs may listen on the loopback address at all, which the embedded database needs. */
export async function checkPorts(): Promise<CheckResult> {
  const name = 'ports'
  const problem = await new Promise<string | null>((done) => {
    const server = createServer()
    server.once('error', (error) => done(codeOf(error)))
    server.listen(0, '127.0.0.1', () => server.close(() => done(null)))
  })
  if (problem === null) return ok(name, '127.0.0.1 takes listeners')
  const remedy = 'Allow listening on 127.0.0.1, or set DATABASE_URL to a PostgreSQL of your own.'
  return { name, level: 'fail', found: `cannot listen on 127.0.0.1 (${problem})`, remedy }
}

export async function checkBinaries(settings: SettingValues): Promise<CheckResult> {
  const name = 'embedded PostgreSQL'
  if (settings.databaseUrl !== undefined) return ok(name, 'not needed: DATABASE_URL is set')
  try {
    const binaries = prepareBinaries(null, () => {})
    probeBinaries(binaries, null)
    return ok(name, `runs from ${dirname(binaries.postgres)}`)
  } catch (error) {
    return failed(name, error, 'Run npm ci again, or set DATABASE_URL to a PostgreSQL of your own.')
  }
}

export async function checkDatabase(settings: SettingValues): Promise<CheckResult> {
  const name = 'database'
  if (!databaseExists(settings)) return ok(name, 'not made yet; the first run makes it')
  try {
    return await withDatabase(
      settings,
      () => {},
      async (database) => {
        const client = await database.connect('public')
        const { rows } = await client.query<{ server_version: string }>('SHOW server_version')
        const schemas = await schemasOf(database)
        const held = schemas.length === 0 ? 'no schema holds tables of Millrace yet' : `schemas ${schemas.join(', ')}`
        const found = `PostgreSQL ${rows[0]?.server_version} answers at ${database.location}; ${held}`
        const warning =
          settings.databaseUrl === undefined ? null : plainConnectionWarning(parseDatabaseUrl(settings.databaseUrl))
        return warning === null ? ok(name, found) : { name, level: 'warn', found, remedy: `${warning}.` }
      },
    )
  } catch (error) {
    return failed(
      name,
      error,
      settings.databaseUrl === undefined
        ? `Look into ${join(resolve(settings.dataDir), 'postgres', 'server.log')}. One that hangs is ended by \`millrace stop\`, with all that uses it; start again then.`
        : 'Look whether it runs and takes connections, or correct DATABASE_URL.',
    )
  }
}

/** What runs on the data folder, and whether it says how it is. */
export async function checkRun(settings: SettingValues): Promise<CheckResult> {
  const name = 'pipeline'
  const running = runningProcesses(settings.dataDir)
  if (running.length === 0) return ok(name, 'none runs on this data folder')
  const now = systemClock.now()
  const told = running.map(({ folder, holder }) => {
    const report = readRunReport(folder, holder.pid)
    const silentMs = report === null ? Number.POSITIVE_INFINITY : now - report.at
    return {
      isSilent: silentMs > settings.maxSilence * 1_000,
      text: `${relative(resolve(settings.dataDir), folder)} in process ${holder.pid} on ${holder.host}`,
    }
  })
  const silent = told.filter(({ isSilent }) => isSilent)
  if (silent.length === 0) return ok(name, `${told.map(({ text }) => text).join(', ')} runs`)
  return {
    name,
    level: 'warn',
    found: `silent: ${silent.map(({ text }) => text).join(', ')}`,
    remedy: 'Where it goes on so, it hangs: end it with kill -KILL, which loses nothing, and start it again.',
  }
}

/** Whether the brokers answer, where Kafka is the log. */
export async function checkKafka(settings: SettingValues): Promise<CheckResult> {
  const name = 'kafka'
  if (settings.kafkaBrokers === undefined) return ok(name, 'not used: KAFKA_BROKERS is not set')
  try {
    const kafka = kafkaConnection(settings)
    if (kafka === null) return ok(name, 'not used')
    const topics = await withKafkaAdmin(kafka, (admin) => admin.topics())
    const found = `${kafka.brokers.join(', ')} answers, with ${topics.length} topics`
    const plain = plainKafka(kafka)
    return plain === null ? ok(name, found) : { name, level: 'warn', found, remedy: plain }
  } catch (error) {
    return failed(name, error, 'Check KAFKA_BROKERS, KAFKA_SSL and KAFKA_SASL_*, and whether the brokers run.')
  }
}

/** Whether the archive takes and gives back objects. A directory of the data folder is looked at with that. */
export async function checkArchive(settings: SettingValues, env: CommandContext['env']): Promise<CheckResult> {
  const name = 'archive'
  const { archive, dataDir } = settings
  if (archive === 'none' || archive === 'directory') {
    return ok(
      name,
      archive === 'none' ? 'not used: MILLRACE_ARCHIVE is none' : `in ${archiveLocation(archive, dataDir)}`,
    )
  }
  const s3 = s3Access(env, settings.s3PathStyle)
  const plain = plainArchive({ place: archive, s3 })
  const warnings = plain === null ? [] : [plain]
  try {
    const opened = await openArchive({ place: archive, s3 }, dataDir, 'public', (text) => warnings.push(text))
    if (opened === null) return ok(name, 'not used')
    try {
      await probeStore(opened.store)
    } finally {
      await opened.store.close()
    }
    const found = `${opened.store.location} takes and gives back objects`
    if (warnings.length === 0) return ok(name, found)
    return { name, level: 'warn', found, remedy: warnings.join(' ') }
  } catch (error) {
    return failed(name, error, 'Correct MILLRACE_ARCHIVE and the AWS variables, or see whether the store runs.')
  }
}

function failed(name: string, error: unknown, remedy: string): CheckResult {
  const found = error instanceof Error ? oneLine(error.message) : String(error)
  if (!(error instanceof MillraceError)) return { name, level: 'fail', found: `${codeOf(error)}: ${found}`, remedy }
  return { name, level: 'fail', found, remedy }
}

async function nearestExisting(folder: string): Promise<string> {
  for (let at = folder; ; at = dirname(at)) {
    try {
      await stat(at)
      return at
    } catch (error) {
      // Anything but "not there" is for the caller to find out at this very folder.
      if (codeOf(error) !== 'ENOENT' || at === dirname(at)) return at
    }
  }
}

function codeOf(error: unknown): string {
  if (error instanceof Error && 'code' in error && typeof error.code === 'string') return error.code
  return error instanceof Error ? error.name : String(error)
}
