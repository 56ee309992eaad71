import { klineIntervals } from '../market/klineInterval.ts'
import {
  atCommas,
  atLines,
  distinct,
  fileList,
  listOf,
  notAllowed,
  oneOf,
  type SettingReader,
  trimmed,
  yesOrNo,
  yesOrNoAllowed,
} from './settingReaders.ts'
import type { CommandName, Setting } from './settingTypes.ts'

const backfill: readonly CommandName[] = ['backfill']

const intervalList = distinct(listOf(atCommas, oneOf(klineIntervals)))

/** As it is given: one behind a signature has more than a path. */
const address: SettingReader<string> = (given) => {
  const trimmedAddress = given.trim()
  return /^https?:\/\//i.test(trimmedAddress) && URL.canParse(trimmedAddress) ? trimmedAddress : notAllowed
}

const urlList = listOf(atLines, address, { most: 1_000 })

/** The part of the table of settings that is about history of the exchange. */
export const backfillSettingTable = {
  klineIntervals: {
    read: intervalList,
    env: null,
    flag: '--interval <list>',
    commands: backfill,
    default: '1m',
    allowed: `${klineIntervals.join(', ')}; several with commas between`,
    description: 'Length of the candles, in the spelling of the exchange: 1m is a minute, 1M a month.',
  },
  trades: {
    read: yesOrNo,
    env: null,
    flag: '--trades',
    commands: backfill,
    default: 'false',
    allowed: yesOrNoAllowed,
    description:
      'Trades into a topic instead of candles into raw_klines: the frames that the live feed would have brought.',
  },
  archiveFiles: {
    read: fileList,
    env: null,
    flag: '--file <file...>',
    commands: backfill,
    default: null,
    allowed: 'archives of the exchange, zip or csv, with their own names',
    description:
      'Read archives instead of asking the exchange. A FILE.CHECKSUM beside one is verified; one that was read before is read again only when it has changed.',
  },
  archiveUrls: {
    read: urlList,
    env: null,
    flag: '--url <url...>',
    commands: backfill,
    default: null,
    allowed: 'http:// or https:// addresses of archives, such as those of https://data.binance.vision',
    description: 'Fetch archives and read them. The .CHECKSUM beside each is fetched and verified.',
  },
  explain: {
    read: trimmed(1, 1_000),
    env: null,
    flag: '--explain <why>',
    commands: ['reconcile'],
    default: null,
    allowed: 'up to 1000 characters',
    description:
      'Ends the differences of the range by saying why they are there; they are open again when they change.',
  },
  follow: {
    read: yesOrNo,
    env: null,
    flag: '--follow',
    commands: ['reconcile'],
    default: 'false',
    allowed: yesOrNoAllowed,
    description:
      "Compare each minute as it closes, by the exchange's stream and REST, until it is stopped; find out which of the two is wrong, and bring the trades that ours lacks into the topic again.",
  },
  again: {
    read: yesOrNo,
    env: null,
    flag: '--again',
    commands: backfill,
    default: 'false',
    allowed: yesOrNoAllowed,
    description: 'Also what was fetched or read before: candles that the exchange has corrected since are replaced.',
  },
} as const satisfies Record<string, Setting>
