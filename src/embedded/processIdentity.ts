import { execFileSync } from 'node:child_process'
import { readFileSync, readlinkSync } from 'node:fs'
import { hostname } from 'node:os'
import { silenceLimitMs, silentMs } from './heartbeat.ts'

/** A process, told apart from a later one that was given the same pid. */
export interface ProcessIdentity {
  readonly pid: number
  readonly host: string
  /** When the system started it, in the system's own words, or '' where the system does not say. */
  readonly startedAt: string
  /** Which pids it sees, as one boot of one machine and, in containers, one of its spaces of pids; '' where the system does not say. */
  readonly pidSpace: string
  /** Whether the file that it is kept in is touched as long as the process lives. */
  readonly beats: boolean
}

/** This process. */
export function ownIdentity(): ProcessIdentity {
  return {
    pid: process.pid,
    host: hostname(),
    startedAt: startOf(process.pid) ?? '',
    pidSpace: ownPidSpace(),
    beats: true,
  }
}

/** Whether the process, if it runs, is one whose pid can be looked up here: a host may get another name, a container is made anew with one. */
export function isSeenFromHere({ host, pidSpace }: ProcessIdentity): boolean {
  return host === hostname() || (pidSpace !== '' && pidSpace === ownPidSpace())
}

/**
 * Whether the process still runs. One of another host or container (a folder shared between them) runs as long as it keeps touching its file; where it never
 * did, it counts as running, because nothing here could tell, and taking over from a living one would be the worse mistake.
 * @param file that the identity was read from
 */
export function isRunning(identity: ProcessIdentity, file: string): boolean {
  if (!isSeenFromHere(identity)) return !identity.beats || silentMs(file) < silenceLimitMs
  const startedAt = startOf(identity.pid)
  return startedAt !== null && (identity.startedAt === '' || startedAt === identity.startedAt)
}

/** Whether there is a process of this pid that has not ended. A zombie, which only waits to be reaped, has. */
export function isPidRunning(pid: number): boolean {
  return startOf(pid) !== null
}

/** Reads what `JSON.stringify` made of an identity; null when it is something else. */
export function parseIdentity(text: string): ProcessIdentity | null {
  try {
    const value: unknown = JSON.parse(text)
    if (typeof value !== 'object' || value === null) return null
    const { pid, host, startedAt, pidSpace = '', beats = false } = value as Partial<ProcessIdentity>
    if (typeof pid !== 'number' || typeof host !== 'string' || typeof startedAt !== 'string') return null
    if (typeof pidSpace !== 'string' || typeof beats !== 'boolean') return null
    return { pid, host, startedAt, pidSpace, beats }
  } catch {
    return null
  }
}

function startOf(pid: number): string | null {
  if (process.platform === 'linux') return linuxStartOf(pid)
  if (!answersSignal(pid)) return null
  if (process.platform === 'win32') return ''
  try {
    return execFileSync('ps', ['-o', 'lstart=', '-p', String(pid)], { encoding: 'utf8' }).trim()
  } catch {
    return null
  }
}

// Field 22 of stat is the start in clock ticks since boot; the boot id tells boots apart. The name in field 2 may hold anything,
// so fields are counted from the last closing parenthesis.
function linuxStartOf(pid: number): string | null {
  let stat: string
  try {
    stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
  } catch {
    return null
  }
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  const state = fields[0]
  if (state === 'Z' || state === 'X') return null
  return `${bootId()}/${fields[19]}`
}

let cachedPidSpace: string | undefined

function ownPidSpace(): string {
  if (process.platform !== 'linux') return ''
  try {
    cachedPidSpace ??= `${bootId()}/${readlinkSync('/proc/self/ns/pid')}`
  } catch {
    cachedPidSpace = ''
  }
  return cachedPidSpace
}

let cachedBootId: string | undefined

function bootId(): string {
  try {
    cachedBootId ??= readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim()
  } catch {
    cachedBootId = ''
  }
  return cachedBootId
}

function answersSignal(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}
