import { masked } from './masked.ts'
import type { Output } from './output.ts'

/** From what only developers want to what must be looked at. */
export const logLevels = ['info', 'warn', 'error'] as const

export type LogLevel = (typeof logLevels)[number]

export interface LogOptions {
  readonly format: 'text' | 'json'
  /** What is less than this is left out. */
  readonly level: LogLevel
  /** Texts that are never printed. */
  readonly secrets: readonly string[]
  /** ms UTC. */
  readonly now: () => number
}

/** Lines of a long run as logs: one JSON object a line where that is asked for, without what is below the level, and never with a secret. */
export function logOutput(output: Output, options: LogOptions): Output {
  const { format, level, now, secrets } = options
  const lineOf = (line: string, ofStream: LogLevel): string | null => {
    const own = levelOf(line) ?? ofStream
    if (logLevels.indexOf(own) < logLevels.indexOf(level)) return null
    if (format === 'text') return masked(line, secrets)
    // It has its time, its level and its code already.
    if (line.startsWith('{"time":')) return masked(line, secrets)
    // Elsewhere in a line the like is the name of a setting.
    const code = /^(?:error|warning:) (MILLRACE_[A-Z0-9_]+): /.exec(line)?.[1]
    const message = masked(
      line.replace(/^(?:error|warning|note)(?: MILLRACE_[A-Z0-9_]+)?: (?:MILLRACE_[A-Z0-9_]+: )?/, '').trim(),
      secrets,
    )
    return JSON.stringify({
      time: new Date(now()).toISOString(),
      level: own,
      ...(code === undefined ? {} : { code }),
      message,
    })
  }
  return {
    ...output,
    out: async (text) => {
      const lines = text.split('\n').filter((line) => line.trim() !== '')
      const shown = lines.flatMap((line) => lineOf(line, 'info') ?? [])
      return shown.length === 0 ? true : output.out(`${shown.join('\n')}\n`)
    },
    err: (text) => {
      // A stack belongs to its error.
      const shown = lineOf(format === 'json' ? text.replaceAll('\n', ' | ') : text, 'info')
      if (shown !== null) output.err(shown)
    },
  }
}

function levelOf(line: string): LogLevel | null {
  if (/^error\b/.test(line)) return 'error'
  if (/^warning\b/.test(line)) return 'warn'
  return null
}
