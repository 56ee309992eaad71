import type { BackupProgress } from '../../backup/writeBackup.ts'
import { bytesText, countText } from '../../console/text.ts'

const lineEveryMs = 2_000

/** Tells how far a backup or a restore is, at most every two seconds. */
export function backupProgress(doing: string, say: (line: string) => void): (progress: BackupProgress) => void {
  let saidAt = performance.now()
  return ({ schema, what, done, total, bytes }) => {
    const now = performance.now()
    if (now - saidAt < lineEveryMs) return
    saidAt = now
    say(
      `${doing}: ${schema}, ${what} · ${countText(done)} of ${countText(total)} tables and files · ${bytesText(bytes)}`,
    )
  }
}
