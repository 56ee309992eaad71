import { readdirSync, readFileSync } from 'node:fs'

/** A process, told from a later one that was given its id by when it began. */
export interface Seen {
  readonly pid: number
  readonly parent: number
  /** Ticks since the machine started. */
  readonly startedAt: string
  /** What its program is called. */
  readonly name: string
}

/** All processes of the machine, by their ids. */
export function allProcesses(): ReadonlyMap<number, Seen> {
  const found = new Map<number, Seen>()
  for (const entry of readdirSync('/proc')) {
    const seen = /^\d+$/.test(entry) ? processOf(Number(entry)) : null
    if (seen !== null) found.set(seen.pid, seen)
  }
  return found
}

/** null where there is none, or one that has ended and that nobody has asked after. */
export function processOf(pid: number): Seen | null {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'latin1')
    // The name is in brackets and may hold blanks and brackets.
    const end = text.lastIndexOf(')')
    const fields = text.slice(end + 2).split(' ')
    if (fields[0] === 'Z') return null
    return { pid, parent: Number(fields[1]), startedAt: fields[19] ?? '', name: text.slice(text.indexOf('(') + 1, end) }
  } catch {
    // It has ended since it was listed.
    return null
  }
}

export function isAlive({ pid, startedAt }: Seen): boolean {
  return processOf(pid)?.startedAt === startedAt
}

/** Words of its command line, with blanks between. */
export function commandLineOf({ pid }: Seen): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ')
  } catch {
    // It has ended meanwhile.
    return ''
  }
}
