import { rm } from 'node:fs/promises'
import { basename, join, resolve } from 'node:path'
import { checksumBeside, sha256Of } from '../../backfill/archiveFile.ts'
import { downloadArchive, fetchChecksum } from '../../backfill/download.ts'
import { ConfigurationError } from '../../runtime/errors.ts'
import { shownUrl } from '../../sources/http/shownUrl.ts'
import type { CommandContext } from '../commandContext.ts'

/** An archive that the command line names. */
export interface ArchivePlace {
  /** As it was named. */
  readonly name: string
  /** What its content is known by before it is fetched; null where nobody says. */
  knownSha256(): Promise<string | null>
  /** Makes it a file here, verified where there is a checksum. */
  open(): Promise<OpenedArchive>
}

export interface OpenedArchive {
  readonly path: string
  /** Lower-case hex. */
  readonly sha256: string
  readonly isVerified: boolean
  /** Removes what was fetched. */
  close(): Promise<void>
}

/** The archives of `--file` and `--url`, in that order. */
export function archivePlaces({ settings }: CommandContext, signal: AbortSignal): readonly ArchivePlace[] {
  const { archiveFiles = [], archiveUrls = [], dataDir } = settings
  return [
    ...archiveFiles.map(filePlace),
    ...archiveUrls.map((url) => urlPlace(url, join(resolve(dataDir), 'downloads'), signal)),
  ]
}

function filePlace(path: string): ArchivePlace {
  return {
    name: path,
    knownSha256: () => sha256Of(path),
    open: async () => {
      const sha256 = await sha256Of(path)
      const expected = await checksumBeside(path)
      if (expected !== null && expected !== sha256) {
        throw new ConfigurationError(
          `${path} is not what ${basename(path)}.CHECKSUM beside it says (${sha256.slice(0, 12)}…, not ${expected.slice(0, 12)}…). Nothing of it was taken; fetch both again.`,
        )
      }
      return { path, sha256, isVerified: expected !== null, close: async () => {} }
    },
  }
}

function urlPlace(url: string, folder: string, signal: AbortSignal): ArchivePlace {
  return {
    name: shownUrl(url),
    knownSha256: () => fetchChecksum(url, signal),
    open: async () => {
      const downloaded = await downloadArchive(url, folder, signal)
      return { ...downloaded, close: () => rm(downloaded.path, { force: true }) }
    },
  }
}
