import { indicatorsAllowed } from '../pipelines/indicatorNames.ts'
import { durationMs } from '../runtime/duration.ts'
import { atCommas, listOf, matching, notAllowed, type SettingReader, text } from './settingReaders.ts'
import type { Setting } from './settingTypes.ts'

const monthMs = 30 * 86_400_000

const isLength = /^\d{1,6}(s|m|h|d)$/

const silence: SettingReader<number> = (given) => {
  const ms = isLength.test(given) ? durationMs(given as '1h', '--for') : 0
  return ms >= 1_000 && ms <= monthMs ? ms : notAllowed
}

/** The part of the table of settings that is about alerts, indicators and portfolios. */
export const alertsSettingTable = {
  alertsFile: {
    read: text(),
    env: 'MILLRACE_ALERTS_FILE',
    flag: '--alerts-file <file>',
    commands: ['run realtime', 'monitor', 'alerts test', 'alerts silence'],
    default: null,
    allowed: 'a file of alert rules and channels, as docs/platform/alerts.md shows it',
    description:
      'Decides alerts by the rules of this file and tells its channels. Unset: none; alerts.yaml for the alerts commands.',
  },
  indicators: {
    read: listOf(atCommas, matching(/^([a-z]+:\d{1,4}|macd|vwap)$/), { most: 50 }),
    env: 'MILLRACE_INDICATORS',
    flag: '--indicators <list>',
    commands: ['run realtime'],
    default: null,
    allowed: `${indicatorsAllowed}; several with commas between`,
    description: 'Writes these indicators of all candles into the table indicator. Unset: none.',
  },
  portfolioFile: {
    read: text(),
    env: 'MILLRACE_PORTFOLIO_FILE',
    flag: '--portfolio-file <file>',
    commands: ['portfolio'],
    default: 'portfolio.yaml',
    allowed: 'a file of trades of your own, as docs/platform/portfolio.md shows it',
    description: 'Whose value is printed.',
  },
  silenceFor: {
    read: silence,
    env: null,
    flag: '--for <duration>',
    commands: ['alerts silence'],
    default: '2h',
    allowed: 'a length of time such as 30m, 2h or 1d, up to 30d',
    description: 'For how long nobody is told of the rule.',
  },
} as const satisfies Record<string, Setting>
