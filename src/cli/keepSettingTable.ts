import { type Keep, keepKinds, leastKeepMs } from '../retention/keepKinds.ts'
import { durationMs } from '../runtime/duration.ts'
import { notAllowed, type SettingReader } from './settingReaders.ts'
import type { Setting } from './settingTypes.ts'

const candleKinds = [...keepKinds.keys()].filter((kind) => kind.startsWith('candles-'))

/** `candles` stands for all lengths that are not named themselves. */
const keep: SettingReader<Keep> = (given) => {
  const kept = new Map<string, number>()
  for (const part of given.split(',')) {
    const [, kind = '', length = ''] = /^\s*([a-z0-9-]+)\s*=\s*(\d{1,6}[dh])\s*$/.exec(part) ?? []
    const kinds = kind === 'candles' ? candleKinds : keepKinds.has(kind) ? [kind] : []
    const ms = length === '' ? 0 : durationMs(length as `${number}d`, 'keep')
    if (kinds.length === 0 || ms < leastKeepMs) return notAllowed
    for (const one of kinds) if (kind !== 'candles' || !kept.has(one)) kept.set(one, ms)
  }
  return kept
}

/** The part of the table of settings that is about how long rows are kept. */
export const keepSettingTable = {
  keep: {
    read: keep,
    env: 'MILLRACE_KEEP',
    flag: '--keep <list>',
    commands: ['run', 'run realtime', 'retention'],
    default: null,
    allowed: `KIND=LENGTH with commas between, such as candles-1m=90d,dead-letters=30d; kinds are candles (all lengths), ${[...keepKinds.keys()].join(', ')}; lengths are days (90d) or hours (36h), a day at least`,
    description: 'How long rows are kept. What is not named is kept for good.',
  },
} as const satisfies Record<string, Setting>
