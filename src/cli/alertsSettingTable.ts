import { z } from 'zod'
import { indicatorsAllowed } from '../pipelines/indicatorNames.ts'
import { durationMs } from '../runtime/duration.ts'
import type { Setting } from './settingTypes.ts'

const monthMs = 30 * 86_400_000

/** The part of the table of settings that is about alerts, indicators and portfolios. */
export const alertsSettingTable = {
  alertsFile: {
    schema: z.string().min(1),
    env: 'MILLRACE_ALERTS_FILE',
    flag: '--alerts-file <file>',
    commands: ['run realtime', 'monitor', 'alerts test', 'alerts silence'],
    default: null,
    allowed: 'a file of alert rules and channels, as docs/platform/alerts.md shows it',
    description:
      'Decides alerts by the rules of this file and tells its channels. Unset: none; alerts.yaml for the alerts commands.',
  },
  indicators: {
    schema: z
      .string()
      .transform((text) => text.split(','))
      .pipe(
        z
          .array(z.string().regex(/^([a-z]+:\d{1,4}|macd|vwap)$/))
          .min(1)
          .max(50),
      ),
    env: 'MILLRACE_INDICATORS',
    flag: '--indicators <list>',
    commands: ['run realtime'],
    default: null,
    allowed: `${indicatorsAllowed}; several with commas between`,
    description: 'Writes these indicators of all candles into the table indicator. Unset: none.',
  },
  portfolioFile: {
    schema: z.string().min(1),
    env: 'MILLRACE_PORTFOLIO_FILE',
    flag: '--portfolio-file <file>',
    commands: ['portfolio'],
    default: 'portfolio.yaml',
    allowed: 'a file of trades of your own, as docs/platform/portfolio.md shows it',
    description: 'Whose value is printed.',
  },
  silenceFor: {
    schema: z
      .string()
      .regex(/^\d{1,6}(s|m|h|d)$/)
      .transform((text) => durationMs(text as '1h', '--for'))
      .pipe(z.number().min(1_000).max(monthMs)),
    env: null,
    flag: '--for <duration>',
    commands: ['alerts silence'],
    default: '2h',
    allowed: 'a length of time such as 30m, 2h or 1d, up to 30d',
    description: 'For how long nobody is told of the rule.',
  },
} as const satisfies Record<string, Setting>
