import type { SettingValues } from '../settings.ts'

/** Within which bounds all is well. */
export interface Thresholds {
  readonly maxWatermarkLagMs: number
  readonly maxLagRecords: number
  readonly maxCandleAgeMs: number
  readonly maxOpenGaps: number
  readonly maxDeadLetters: number
  readonly maxOutboxAgeMs: number
  readonly maxSilenceMs: number
}

export function thresholdsOf(settings: SettingValues): Thresholds {
  return {
    maxWatermarkLagMs: settings.maxWatermarkLag * 1_000,
    maxLagRecords: settings.maxLag,
    maxCandleAgeMs: settings.maxCandleAge * 1_000,
    maxOpenGaps: settings.maxOpenGaps,
    maxDeadLetters: settings.maxDeadLetters,
    maxOutboxAgeMs: settings.maxOutboxAge * 1_000,
    maxSilenceMs: settings.maxSilence * 1_000,
  }
}
