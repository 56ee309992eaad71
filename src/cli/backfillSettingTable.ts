import { z } from 'zod'
import { klineIntervals } from '../market/klineInterval.ts'
import { fileList, yesOrNo, yesOrNoAllowed } from './settingSchemas.ts'
import type { CommandName, Setting } from './settingTypes.ts'

const backfill: readonly CommandName[] = ['backfill']

const intervalList = z
  .string()
  .transform((text) => text.split(','))
  .pipe(z.array(z.enum(klineIntervals)).min(1))
  .transform((list) => [...new Set(list)])

const urlList = z
  .string()
  .transform((text) => text.split('\n'))
  .pipe(
    z
      .array(z.url({ protocol: /^https?$/ }))
      .min(1)
      .max(1_000),
  )

/** The part of the table of settings that is about history of the exchange. */
export const backfillSettingTable = {
  klineIntervals: {
    schema: intervalList,
    env: null,
    flag: '--interval <list>',
    commands: backfill,
    default: '1m',
    allowed: `${klineIntervals.join(', ')}; several with commas between`,
    description: 'Length of the candles, in the spelling of the exchange: 1m is a minute, 1M a month.',
  },
  trades: {
    schema: yesOrNo,
    env: null,
    flag: '--trades',
    commands: backfill,
    default: 'false',
    allowed: yesOrNoAllowed,
    description:
      'Trades into a topic instead of candles into raw_klines: the frames that the live feed would have brought.',
  },
  archiveFiles: {
    schema: fileList,
    env: null,
    flag: '--file <file...>',
    commands: backfill,
    default: null,
    allowed: 'archives of the exchange, zip or csv, with their own names',
    description:
      'Read archives instead of asking the exchange. A FILE.CHECKSUM beside one is verified; one that was read before is read again only when it has changed.',
  },
  archiveUrls: {
    schema: urlList,
    env: null,
    flag: '--url <url...>',
    commands: backfill,
    default: null,
    allowed: 'http:// or https:// addresses of archives, such as those of https://data.binance.vision',
    description: 'Fetch archives and read them. The .CHECKSUM beside each is fetched and verified.',
  },
  explain: {
    schema: z.string().trim().min(1).max(1_000),
    env: null,
    flag: '--explain <why>',
    commands: ['reconcile'],
    default: null,
    allowed: 'up to 1000 characters',
    description:
      'Ends the differences of the range by saying why they are there; they are open again when they change.',
  },
  follow: {
    schema: yesOrNo,
    env: null,
    flag: '--follow',
    commands: ['reconcile'],
    default: 'false',
    allowed: yesOrNoAllowed,
    description:
      "Compare each minute as it closes, by the exchange's stream and REST, until it is stopped; find out which of the two is wrong, and bring the trades that ours lacks into the topic again.",
  },
  again: {
    schema: yesOrNo,
    env: null,
    flag: '--again',
    commands: backfill,
    default: 'false',
    allowed: yesOrNoAllowed,
    description: 'Also what was fetched or read before: candles that the exchange has corrected since are replaced.',
  },
} as const satisfies Record<string, Setting>
