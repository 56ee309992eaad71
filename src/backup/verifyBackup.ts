import { ConfigurationError } from '../runtime/errors.ts'
import type { ObjectStore } from '../runtime/objectStore.ts'
import { pieceKey } from './backupKeys.ts'
import type { BackupManifest } from './backupManifest.ts'
import { readFile } from './fileCopy.ts'
import { readPiece } from './tableCopy.ts'

/** What a look at a backup came to. */
export interface VerifiedBackup {
  /** Pieces and files that were read. */
  readonly objects: number
  readonly bytes: number
  /** What is gone or damaged, in words; none where all of it is as it was written. */
  readonly problems: readonly string[]
}

/** Reads all of a backup and holds it against its manifest. Writes nothing; holds one object. */
export async function verifyBackup(store: ObjectStore, manifest: BackupManifest): Promise<VerifiedBackup> {
  const problems: string[] = []
  let objects = 0
  let bytes = 0
  const look = async (read: Promise<Buffer>) => {
    objects += 1
    try {
      bytes += (await read).length
    } catch (error) {
      if (!(error instanceof ConfigurationError)) throw error
      problems.push(error.message)
    }
  }
  let number = 0
  for (const { tables, archive, lake } of manifest.schemas) {
    for (const table of tables) {
      for (const [index, { sha256 }] of table.pieces.entries())
        await look(readPiece(store, pieceKey(manifest.id, number, index), sha256))
      number += 1
    }
    for (const { isCopied, files } of [archive, lake])
      if (isCopied) for (const file of files) await look(readFile(store, file))
  }
  return { objects, bytes, problems }
}
