import { archivePlaceAllowed, isArchivePlace } from '../host/archivePlace.ts'
import { isSchemaName, schemaNameAllowed } from '../host/databaseNames.ts'
import { databaseUrlForms } from '../sinks/postgres/databaseUrl.ts'
import { alertsSettingTable } from './alertsSettingTable.ts'
import { backfillSettingTable } from './backfillSettingTable.ts'
import { backupCommands, backupSettingTable } from './backupSettingTable.ts'
import { consoleSettingTable } from './consoleSettingTable.ts'
import { exchangeSettingTable } from './exchangeSettingTable.ts'
import { ingestSettingTable } from './ingestSettingTable.ts'
import { kafkaSettingTable } from './kafkaSettingTable.ts'
import { keepSettingTable } from './keepSettingTable.ts'
import { lakeCommands, lakeSettingTable } from './lakeSettingTable.ts'
import { limitSettingTable } from './limitSettingTable.ts'
import { logSettingTable } from './logSettingTable.ts'
import { monitorSettingTable } from './monitorSettingTable.ts'
import { offsetSettingTable } from './offsetSettingTable.ts'
import { printSettingTable } from './printSettingTable.ts'
import { qualitySettingTable } from './qualitySettingTable.ts'
import { recordSettingTable } from './recordSettingTable.ts'
import { scheduleSettingTable } from './scheduleSettingTable.ts'
import {
  databaseUrl,
  fileList,
  integer,
  type NotAllowed,
  oneOf,
  plainUrl,
  type SettingReader,
  startFrom,
  startFromAllowed,
  such,
  symbolList,
  text,
  yesOrNo,
  yesOrNoAllowed,
} from './settingReaders.ts'
import { type CommandName, commandNames, type Setting } from './settingTypes.ts'
import { stopSettingTable } from './stopSettingTable.ts'
import { symbolsSettingTable } from './symbolsSettingTable.ts'

/** They make something of their own. */
const withoutData: readonly CommandName[] = ['new', 'record', 'exchange', 'contract', 'dbt', 'alerts silence']
const withData: readonly CommandName[] = commandNames.filter(
  (name) => !withoutData.includes(name) && !name.startsWith('symbols '),
)

const run: readonly CommandName[] = ['run', 'run realtime']
const realtime: readonly CommandName[] = ['run realtime']
const feed: readonly CommandName[] = ['run realtime', 'ingest']
/** What takes frames in as they come. */
const live: readonly CommandName[] = [...feed, 'record']

/**
 * Every setting there is. Flags, environment variables, `.env`, messages and docs/reference/configuration.md derive from this table.
 * Where a setting comes from several places, the flag wins over the environment, that over `.env`, that over the default.
 */
export const settings = {
  packageSpec: {
    read: text(),
    env: null,
    flag: '--package <spec>',
    commands: ['new'],
    default: null,
    allowed: 'a tarball, a folder or what else npm installs',
    description:
      'Where the new project gets millrace from. Unset: from the registry, this version or a later one that is compatible.',
  },
  source: {
    read: oneOf(['binance', 'coinbase', 'simulator', 'tape', 'none']),
    env: 'MILLRACE_SOURCE',
    flag: '--source <source>',
    commands: live,
    default: null,
    allowed: 'binance, coinbase, simulator, tape or none',
    description:
      'Where trades come from. Unset: the tape if one is given, else binance if it answers within 2 s, else the simulator. ' +
      '`none` takes nothing in and works on what others bring into the topic.',
    narrower: {
      record: {
        allowed: 'binance or simulator',
        description: 'Where frames come from. Unset: binance if it answers within 2 s, else the simulator.',
      },
      ingest: {
        allowed: 'binance, coinbase, simulator or tape',
        description:
          'Where trades come from. Unset: the tape if one is given, else binance if it answers within 2 s, else the simulator.',
      },
    },
  },
  tape: {
    read: fileList,
    env: 'MILLRACE_TAPE',
    flag: '--tape <file...>',
    commands: feed,
    default: null,
    allowed: 'a file of combined-stream frames, one a line, plain, .gz or .zst',
    description:
      'Recorded frames to read instead of a live source. Several that continue each other are read as one, in this order; another may be named behind them later.',
  },
  untilEnd: {
    read: yesOrNo,
    env: 'MILLRACE_UNTIL_END',
    flag: '--until-end',
    commands: ['run', ...feed],
    default: 'false',
    allowed: yesOrNoAllowed,
    description: 'Stop once all of the tape is committed; without one, all that the topics hold at the start.',
    narrower: { ingest: { description: 'Stop at the end of the --tape. A file of JSON lines always ends so.' } },
  },
  closeOpen: {
    read: yesOrNo,
    env: 'MILLRACE_CLOSE_OPEN',
    flag: '--close-open',
    commands: run,
    default: 'false',
    allowed: yesOrNoAllowed,
    description: 'With --until-end: close the windows that are still open at the end.',
  },
  watch: {
    read: yesOrNo,
    env: null,
    flag: '--watch',
    commands: ['run'],
    default: 'false',
    allowed: yesOrNoAllowed,
    description: 'Run again whenever the file, or a file of the project that it imports, has changed.',
  },
  full: {
    read: yesOrNo,
    env: null,
    flag: '--full',
    commands: ['run batch'],
    default: 'false',
    allowed: yesOrNoAllowed,
    description: 'Make everything anew, the minutes of the archive included, instead of what has changed.',
  },
  market: {
    read: oneOf(['spot', 'usdm', 'coinbase', 'simulated']),
    env: 'MILLRACE_MARKET',
    flag: '--market <market>',
    commands: [...live, 'backfill', 'reconcile', 'doctor', 'run batch', 'verify', 'symbols add'],
    default: 'spot',
    allowed: 'spot, usdm, coinbase or simulated',
    description:
      'Which order book the trades come from: spot, or USD-M futures. The simulator has a market of its own, which only --source none and --source simulator may name; a tape of it says so itself.',
    narrower: {
      backfill: {
        description:
          'Whose history: Binance spot, USD-M futures, Coinbase, or an exchange that invents its prices and is named by MILLRACE_BINANCE_REST_URL.',
      },
      'symbols add': {
        allowed: 'spot, usdm or coinbase',
        description: 'Whose symbols a new file has; one that is there says so itself.',
      },
      verify: {
        description: 'Which order book the archived trades are of; invented prices are a data set of their own.',
      },
      reconcile: { description: 'Of --follow: whose candles.' },
      doctor: {
        allowed: 'spot, usdm or coinbase',
        description: 'Which exchange, and which market of it, is looked at.',
      },
      'run batch': {
        description: 'Which order book the archived trades are of; invented prices are a data set of their own.',
      },
    },
  },
  timeUnit: {
    read: oneOf(['ms', 'us', 's']),
    env: 'MILLRACE_TIME_UNIT',
    flag: '--time-unit <unit>',
    commands: [...live, 'reconcile', 'run batch', 'verify'],
    default: 'ms',
    allowed: 'ms, us or s',
    description:
      'Unit of the times in the frames; never guessed. Of JSON lines: unit of a --time that is a number; unset, ms, and what looks like another unit is refused.',
    narrower: {
      'run realtime': { allowed: 'ms or us', description: 'Unit of the times in the frames; never guessed.' },
      verify: { allowed: 'ms or us', description: 'Unit of the times in the archived frames; never guessed.' },
      reconcile: { allowed: 'ms or us', description: 'Of --follow: unit of the times in the topic.' },
      'run batch': { allowed: 'ms or us', description: 'Unit of the times in the archived frames; never guessed.' },
      record: { allowed: 'ms or us', description: 'Unit of the times that the exchange is asked for.' },
      ingest: { allowed: 'ms or us of trades; ms, us or s of JSON lines' },
    },
  },
  symbols: {
    read: symbolList,
    env: 'MILLRACE_SYMBOLS',
    flag: '--symbols <list>',
    commands: [...live, 'backfill', 'exchange'],
    default: null,
    allowed: 'symbols of the exchange with commas between, such as BTCUSDT,ETHUSDT',
    description: 'Which symbols to take. Unset: all of a tape; BTCUSDT,ETHUSDT,BNBUSDT live and simulated.',
    narrower: {
      backfill: { description: 'Which symbols to fetch (required, but for archives, which say it).' },
      exchange: { description: 'Which symbols it lists. Unset: BTCUSDT,ETHUSDT,BNBUSDT.' },
    },
  },
  dataDir: {
    read: text(),
    env: 'MILLRACE_DATA_DIR',
    flag: '--data-dir <dir>',
    commands: withData,
    default: './.millrace',
    allowed: 'a folder, made if it is not there',
    description: 'Holds the embedded database, the archive directory and the lock of the running pipeline.',
  },
  databaseUrl: {
    read: databaseUrl,
    env: 'DATABASE_URL',
    flag: null,
    commands: withData,
    default: null,
    allowed: databaseUrlForms,
    description:
      'A PostgreSQL of your own instead of the embedded one. What it leaves out comes from PGHOST, PGPORT, PGUSER, PGPASSWORD, PGDATABASE, PGSSLMODE and the like.',
    secret: true,
  },
  schema: {
    read: such(isSchemaName),
    env: 'MILLRACE_SCHEMA',
    flag: '--schema <name>',
    commands: [
      'run',
      'run realtime',
      'run batch',
      'ingest',
      'backfill',
      'reconcile',
      'quality check',
      'dbt',
      'runs backfill',
      'candles',
      'sql',
      'verify',
    ],
    default: 'public',
    allowed: schemaNameAllowed,
    description:
      'Schema of the database that rows, checkpoints and the embedded log are in, made where it is missing. Invented prices go into one of their own: `simulated` beside `public`, NAME_simulated beside NAME.',
    narrower: { sql: { description: 'Where tables are that are named without a schema.' } },
  },
  archive: {
    read: such(isArchivePlace),
    env: 'MILLRACE_ARCHIVE',
    flag: null,
    commands: [...run, 'run batch', 'verify', 'archive sweep', 'status', 'doctor', 'backup', 'restore'],
    default: 'directory',
    allowed: archivePlaceAllowed,
    description:
      'Where raw records are kept. `directory` is `archive/` in the data folder. S3 takes its region, endpoint and ' +
      'credentials from the standard AWS variables.',
  },
  s3PathStyle: {
    read: yesOrNo,
    env: 'MILLRACE_S3_PATH_STYLE',
    flag: null,
    commands: [
      ...run,
      'run batch',
      'verify',
      'archive sweep',
      ...lakeCommands,
      'buckets create',
      'status',
      'doctor',
      ...backupCommands,
      'monitor',
    ],
    default: null,
    allowed: yesOrNoAllowed,
    description: 'Bucket in the path instead of in the host name. Unset: true where an endpoint other than AWS is set.',
  },
  partitions: {
    read: integer(1, 256),
    env: 'MILLRACE_PARTITIONS',
    flag: null,
    commands: ['run', ...feed, 'backfill', 'topics create'],
    default: '4',
    allowed: 'a whole number from 1 to 256',
    description:
      'Partitions of a topic. Fixed once the topic is made, because the order of the records of a key depends on it.',
  },
  logRetentionHours: {
    read: integer(1, 8760),
    env: 'MILLRACE_LOG_RETENTION_HOURS',
    flag: null,
    commands: ['run', ...feed, 'backfill'],
    default: '24',
    allowed: 'a whole number from 1 to 8760',
    description: 'How long the embedded log keeps records that every reader has committed.',
  },
  startFrom: {
    read: startFrom,
    env: null,
    flag: '--from <place>',
    commands: run,
    default: null,
    allowed: startFromAllowed,
    description:
      'Where a pipeline that never ran begins to read: each topic at the first record of the time or after it. Unset: at the earliest record. Refused where the pipeline has a checkpoint.',
  },
  checkpointMs: {
    read: integer(10, 60_000),
    env: 'MILLRACE_CHECKPOINT_MS',
    flag: null,
    commands: run,
    default: '250',
    allowed: 'a whole number from 10 to 60000',
    description: 'Longest time between two checkpoints while records come.',
  },
  openCandleMs: {
    read: integer(0, 60_000),
    env: 'MILLRACE_OPEN_CANDLE_MS',
    flag: null,
    commands: realtime,
    default: '250',
    allowed: 'a whole number from 0 to 60000',
    description:
      'Shortest time between two rows of a 1m candle that is still open. Rows are written at checkpoints, so MILLRACE_CHECKPOINT_MS decides where it is longer.',
  },
  simulatorSeed: {
    read: integer(0, 4_294_967_295),
    env: 'MILLRACE_SIMULATOR_SEED',
    flag: null,
    commands: live,
    default: '1',
    allowed: 'a whole number from 0 to 4294967295',
    description: 'Seed of the simulated market.',
  },
  simulatorRate: {
    read: integer(1, 100_000),
    env: 'MILLRACE_SIMULATOR_RATE',
    flag: null,
    commands: live,
    default: '60',
    allowed: 'a whole number from 1 to 100000',
    description: 'Simulated trades a second, over all symbols.',
  },
  binanceWsUrl: {
    read: plainUrl(['ws:', 'wss:']),
    env: 'MILLRACE_BINANCE_WS_URL',
    flag: null,
    commands: [...live, 'reconcile', 'doctor'],
    default: null,
    allowed: 'a ws:// or wss:// address without a path',
    description: "WebSocket address of the exchange. Unset: the exchange's public one for the market.",
  },
  binanceRestUrl: {
    read: plainUrl(['http:', 'https:']),
    env: 'MILLRACE_BINANCE_REST_URL',
    flag: null,
    commands: [...live, 'backfill', 'reconcile', 'symbols add', 'symbols validate', 'doctor'],
    default: null,
    allowed: 'an http:// or https:// address without a path',
    description:
      "REST address of the exchange, for filling gaps and for history. Unset: the exchange's public one for the market.",
  },
  coinbaseWsUrl: {
    read: plainUrl(['ws:', 'wss:']),
    env: 'MILLRACE_COINBASE_WS_URL',
    flag: null,
    commands: ['run realtime', 'ingest', 'doctor'],
    default: null,
    allowed: 'a ws:// or wss:// address without a path',
    description: "WebSocket address of Coinbase Exchange. Unset: the exchange's public one.",
  },
  coinbaseRestUrl: {
    read: plainUrl(['http:', 'https:']),
    env: 'MILLRACE_COINBASE_REST_URL',
    flag: null,
    commands: ['run realtime', 'ingest', 'backfill', 'reconcile', 'symbols add', 'symbols validate', 'doctor'],
    default: null,
    allowed: 'an http:// or https:// address without a path',
    description:
      "REST address of Coinbase Exchange, for filling gaps and for history. Unset: the exchange's public one.",
  },
  tty: {
    read: yesOrNo,
    env: 'MILLRACE_TTY',
    flag: '--no-tty',
    commands: ['run', ...feed, 'backfill'],
    default: null,
    allowed: yesOrNoAllowed,
    description: 'Live table (true) or plain lines (false). Unset: a table where there is a terminal and no CI.',
  },
  ...ingestSettingTable,
  ...backfillSettingTable,
  ...recordSettingTable,
  ...exchangeSettingTable,
  ...kafkaSettingTable,
  ...lakeSettingTable,
  ...consoleSettingTable,
  ...limitSettingTable,
  ...offsetSettingTable,
  ...printSettingTable,
  ...alertsSettingTable,
  ...monitorSettingTable,
  ...logSettingTable,
  ...qualitySettingTable,
  ...scheduleSettingTable,
  ...symbolsSettingTable,
  ...backupSettingTable,
  ...stopSettingTable,
  ...keepSettingTable,
} as const satisfies Record<string, Setting>

export type SettingName = keyof typeof settings

type ReadBy<R> = R extends SettingReader<infer T> ? Exclude<T, NotAllowed> : never

type ValueOf<S extends Setting> = S['default'] extends string ? ReadBy<S['read']> : ReadBy<S['read']> | undefined

export type SettingValues = { readonly [N in SettingName]: ValueOf<(typeof settings)[N]> }

export const settingNames = Object.keys(settings) as readonly SettingName[]

/** The settings that a command takes, in the order of the table. */
export function settingsOf(command: CommandName): readonly SettingName[] {
  return settingNames.filter((name) => (settings[name].commands as readonly CommandName[]).includes(command))
}
