/** When a backup was begun, as its name says it: sorts as time does, and is a part of an object's key. */
export const backupIdPattern = /^\d{8}T\d{9}Z$/

/** The name of a backup that begins now. */
export function backupId(now: number): string {
  return new Date(now).toISOString().replace(/[-:.]/g, '')
}

/** When the backup of that name was begun, ms UTC. */
export function begunAt(id: string): number {
  const [, year, month, day, hours, minutes, seconds, ms] =
    /^(\d{4})(\d{2})(\d{2})T(\d{2})(\d{2})(\d{2})(\d{3})Z$/.exec(id) ?? []
  return Date.parse(`${year}-${month}-${day}T${hours}:${minutes}:${seconds}.${ms}Z`)
}

/** Of all backups of a place. */
export const backupsPrefix = 'backups/'

/** What one backup has to itself. */
export function backupFolder(id: string): string {
  return `${backupsPrefix}${id}/`
}

/** It is written last: a folder without it is no backup. */
export function manifestKey(id: string): string {
  return `${backupFolder(id)}manifest.json`
}

/** A piece of a table, as many as it needs, from 0. */
export function pieceKey(id: string, table: number, piece: number): string {
  return `${backupFolder(id)}tables/${String(table).padStart(5, '0')}-${String(piece).padStart(6, '0')}.copy.zst`
}

/** Files of archive and lake never change, so all backups of a place share them, under the hash of their bytes. */
export const filesPrefix = 'files/'

/** Where the file of that hash is. */
export function fileKey(sha256: string): string {
  return `${filesPrefix}${sha256.slice(0, 2)}/${sha256}`
}
