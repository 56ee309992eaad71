import { bytesText, durationText } from '../console/text.ts'
import { ConfigurationError } from '../runtime/errors.ts'

/** What the broker promises to keep of a topic; null means for ever, or of any size. */
export interface TopicRetention {
  readonly topic: string
  readonly retentionMs: number | null
  /** Of one partition. */
  readonly retentionBytes: number | null
  readonly isCompacted: boolean
}

/** An object of the archive ends with the hour of its records at the latest, and with this many bytes of them. */
export const objectSpanMs = 3_600_000
export const objectSpanBytes = 32 * 1024 * 1024
/** How long a worker or the object store may well be away over a night. */
const comfortableMs = 24 * 3_600_000

/**
 * What a person should know about the retention of a topic, one line each. Throws `ConfigurationError` where records would be deleted before they
 * are processed or archived even if nothing ever failed.
 */
export function checkRetention(retention: TopicRetention, isArchived: boolean): readonly string[] {
  const { topic, retentionMs, retentionBytes, isCompacted } = retention
  if (isCompacted) {
    throw new ConfigurationError(
      `topic ${topic} is compacted: of all records of a key only the newest would be kept; set cleanup.policy=delete, or read it as a table (movesTime: false).`,
      { topic },
    )
  }
  const warnings: string[] = []
  if (retentionMs !== null) {
    const kept = `topic ${topic} keeps records for ${durationText(retentionMs)} (retention.ms=${retentionMs})`
    if (isArchived && retentionMs < 2 * objectSpanMs) {
      throw new ConfigurationError(
        `${kept}, but an object of the archive spans up to ${durationText(objectSpanMs)} and is read again after a crash; ` +
          `set retention.ms to at least ${2 * objectSpanMs}, better ${7 * comfortableMs}, or MILLRACE_ARCHIVE=none.`,
        { topic },
      )
    }
    if (retentionMs < comfortableMs) {
      warnings.push(
        `warning: ${kept}: an outage of workers, database or archive that lasts longer loses records. Set it to a day or more.`,
      )
    }
  }
  if (retentionBytes !== null) {
    const kept = `topic ${topic} keeps ${bytesText(retentionBytes)} a partition (retention.bytes=${retentionBytes})`
    if (isArchived && retentionBytes < 2 * objectSpanBytes) {
      throw new ConfigurationError(
        `${kept}, but an object of the archive holds up to ${bytesText(objectSpanBytes)} and is read again after a crash; ` +
          'set retention.bytes=-1, or MILLRACE_ARCHIVE=none.',
        { topic },
      )
    }
    warnings.push(`warning: ${kept}, whatever their age: after a busy outage records may be gone before they are read.`)
  }
  return warnings
}

/** Throws `ConfigurationError` for a topic that would delete records of the past for their age, perhaps before they are read. */
export function checkPastRetention({ topic, retentionMs }: TopicRetention): void {
  if (retentionMs === null) return
  throw new ConfigurationError(
    `topic ${topic} keeps records for ${durationText(retentionMs)} after their event (retention.ms=${retentionMs}), so the broker would delete ` +
      'older ones of a recording, perhaps before they are read; name a new topic (--topic, or topic in the settings), which is made to keep everything, or set retention.ms=-1 of this one.',
    { topic },
  )
}
