import type { CommandRun } from './commandContext.ts'
import type { CommandName } from './settingTypes.ts'

export interface CommandDescription {
  readonly description: string
  readonly args?: readonly { readonly name: string; readonly description: string }[]
  readonly examples: readonly string[]
  /** Imports the command when it is asked for, so that `--help` does not wait for a database driver. */
  readonly load: () => Promise<CommandRun>
}

/** Words that stand before others. */
export const commandGroups: Readonly<Record<string, string>> = {
  alerts: 'Look at what alert rules have decided, try the channels, silence a rule.',
  archive: 'Look after the archive of raw trades.',
  lake: 'Look at the tables of the lake, serve them to readers, and clean up.',
  quality: 'Judge tables by what is expected of them, and look at what came of it.',
  runs: 'Look at the runs of batch jobs, have intervals run again, or for the first time.',
  buckets: 'Make the buckets of an object store.',
  state: 'Look at what pipelines keep, copy it under another name, drop it; say whose rows are.',
  symbols: 'Look after the file that says which symbols are taken from the exchange.',
  topics: 'Make and look at the topics of Apache Kafka.',
  'dead-letters': 'Look at records that were set aside, and process them again.',
  offsets: 'Go on behind what cannot be read or is gone, and look at what was decided.',
  outbox: 'Look at messages that wait to be sent or were refused, and have them sent again.',
}

export const commandList: ReadonlyMap<CommandName, CommandDescription> = new Map<CommandName, CommandDescription>([
  [
    'new',
    {
      description:
        'Make a small project: a pipeline with its feed, its table and its test. Its name is that of the folder.',
      args: [{ name: '<folder>', description: 'one that is empty or not there yet' }],
      examples: ['millrace new my-app', 'millrace new .', 'millrace new my-app --package ./millrace-0.1.0.tgz'],
      load: async () => (await import('./commands/new.ts')).newProject,
    },
  ],
  [
    'run',
    {
      description:
        'Run the pipeline that a TypeScript or JavaScript file exports: read its topics, write its tables; or the batch job that it exports. Ctrl-C stops cleanly; start again to go on.',
      args: [{ name: '<file>', description: 'TypeScript or JavaScript that exports a pipeline or a job, or realtime' }],
      examples: [
        'millrace run ./paid.ts',
        'millrace run ./paid.ts --watch',
        'millrace run ./paid.ts --until-end --close-open',
        'millrace run ./lines.ts --topic lines --schema reports',
        'millrace run ./daily.ts --schedule',
        'KAFKA_BROKERS=127.0.0.1:9092 DATABASE_URL=postgres://user:password@host/database millrace run ./paid.ts --workers 2',
      ],
      load: async () => (await import('./commands/run.ts')).runFile,
    },
  ],
  [
    'run realtime',
    {
      description: 'Take trades in, make candles of them, archive them. Ctrl-C stops cleanly; start again to go on.',
      examples: [
        'millrace run realtime',
        'millrace run realtime --source simulator',
        'millrace run realtime --source binance --symbols BTCUSDT,ETHUSDT',
        'millrace run realtime --tape frames.jsonl --until-end --close-open',
        'KAFKA_BROKERS=127.0.0.1:9092 millrace run realtime --source none --workers 2',
      ],
      load: async () => (await import('./realtime/runRealtime.ts')).runRealtime,
    },
  ],
  [
    'run batch',
    {
      description:
        'Make silver, gold and the tables of the lake of what has changed since the last pass: minutes of the archive and of the exchange, late and corrected ones included.',
      examples: [
        'millrace run batch',
        'millrace run batch --schedule',
        'millrace run batch --full',
        'millrace run batch --market simulated --json',
      ],
      load: async () => (await import('./commands/runBatch.ts')).runBatch,
    },
  ],
  [
    'ingest',
    {
      description:
        'Bring JSON lines, a feed of your own or, without either, trades into a topic, exactly once: started again, it goes on where it was. With --symbols-file the other streams of the file come into topics of their own. ' +
        'Standard input (-) is to be given again from its beginning; the lines that are in the topic are passed over by their number.',
      args: [{ name: '[file]', description: 'JSON lines, plain, .gz or .zst, or - for standard input' }],
      examples: [
        'millrace ingest readings.jsonl --topic readings --key sensor --time at',
        'cat readings.jsonl | millrace ingest - --topic readings --key sensor --time at --on-bad-line skip',
        'millrace ingest 2023.jsonl.gz --topic readings --time at --time-unit s --producer archive',
        'millrace ingest --feed ./my-feed.ts',
        'KAFKA_BROKERS=127.0.0.1:9092 millrace ingest --source binance',
        'millrace ingest --source binance --symbols-file symbols.yaml',
        'millrace ingest --tape frames.jsonl --until-end',
      ],
      load: async () => (await import('./commands/ingest.ts')).ingest,
    },
  ],
  [
    'record',
    {
      description:
        'Record the frames of the exchange, or of the simulator, into a tape, which `run realtime --tape` reads. Started again with the same file, it goes on where it was.',
      args: [{ name: '<file>', description: 'the tape: one frame a line' }],
      examples: [
        'millrace record frames.jsonl --seconds 60',
        'millrace record frames.jsonl --source binance --symbols BTCUSDT,ETHUSDT',
        'millrace record invented.jsonl --source simulator --records 1000',
      ],
      load: async () => (await import('./commands/record.ts')).record,
    },
  ],
  [
    'exchange',
    {
      description:
        "Run a simulated exchange on loopback, with invented prices: Binance's WebSocket and REST that agree with each other, its limits, and faults on demand. For testing whatever takes trades in.",
      examples: [
        'millrace exchange',
        'millrace exchange --symbols BTCUSDT,ETHUSDT --rate 200 --seed 7',
        'millrace exchange --port 0 --faults 6',
      ],
      load: async () => (await import('./commands/exchange.ts')).exchange,
    },
  ],
  [
    'graph',
    {
      description: 'Draw what a pipeline consists of: inputs, operators, outlets, and who reads whom. Nothing is run.',
      args: [{ name: '<file>', description: 'TypeScript or JavaScript that exports a pipeline, or realtime' }],
      examples: [
        'millrace graph realtime',
        'millrace graph ./paid.ts',
        'millrace graph ./paid.ts --mermaid',
        'millrace graph ./paid.ts --json',
      ],
      load: async () => (await import('./commands/graph.ts')).graph,
    },
  ],
  [
    'backfill',
    {
      description:
        "Bring history of the exchange: closed candles into the table raw_klines, by REST within the exchange's limits or from its archives, or trades into a topic (--trades). Stopped, it goes on where it was; a second time changes nothing.",
      examples: [
        'millrace backfill --symbols BTCUSDT,ETHUSDT --interval 1m,1h --from 2024-08-01',
        'millrace backfill --symbols BTCUSDT --from 2024-08-01 --to 2024-08-08 --again',
        'millrace backfill --file BTCUSDT-1m-2024-07.zip BTCUSDT-1m-2024-08.zip',
        'millrace backfill --market usdm --url https://data.binance.vision/data/futures/um/monthly/klines/BTCUSDT/1m/BTCUSDT-1m-2024-08.zip',
        'millrace backfill --trades --symbols BTCUSDT --from 2024-08-08T23:55:00Z --to 2024-08-09',
      ],
      load: async () => (await import('./commands/backfill.ts')).backfill,
    },
  ],
  [
    'reconcile',
    {
      description:
        "Compare our closed candles with the exchange's own in raw_klines. What differs is kept in candle_difference until it is equal or explained; exit code 1 while something is open. With --follow it compares each minute as it closes and has what is missing brought in again.",
      examples: [
        'millrace reconcile',
        'millrace reconcile --follow',
        'millrace reconcile --symbol BTCUSDT --from 2024-08-08 --to 2024-08-09',
        'millrace reconcile --symbol BTCUSDT --from 2024-08-08T23:54:00Z --to 2024-08-08T23:55:00Z --explain "the tape begins in this minute"',
      ],
      load: async () => (await import('./commands/reconcile.ts')).reconcile,
    },
  ],
  [
    'verify',
    {
      description:
        "Read a range of the archive again and compare what comes of it with what is stored, byte for byte; of realtime with the exchange's klines as well. Writes nothing; exit code 1 where something differs.",
      args: [
        {
          name: '[pipeline]',
          description: 'TypeScript or JavaScript that exports a pipeline with toArchive; default: realtime',
        },
      ],
      examples: [
        'millrace verify --from 2026-01-15 --to 2026-01-16',
        'millrace verify --from 2026-01-15T10:00 --to 2026-01-15T11:00 --market usdm --json',
        'millrace verify ./orders.ts --from 2026-01-15 --to 2026-01-16',
        'millrace verify ./orders.ts',
      ],
      load: async () => (await import('./commands/verify.ts')).verify,
    },
  ],
  [
    'quality check',
    {
      description:
        'Judge tables by what is expected of them, window by window. Exit code 1 where a window is blocked; failing rows are kept in quarantine.',
      args: [
        {
          name: '[file]',
          description: "TypeScript or JavaScript that exports what defineQuality makes; default: the platform's tables",
        },
      ],
      examples: [
        'millrace quality check --from 2024-08-08',
        'millrace quality check ./quality.ts --from 2024-08-08 --to 2024-08-09',
        'millrace quality check ./quality.ts --from 2024-08-08 --window 5m --json',
      ],
      load: async () => (await import('./commands/quality.ts')).checkTables,
    },
  ],
  [
    'quality report',
    {
      description:
        'Show what the newest checks of each table came to, which windows did not pass, and what is in quarantine.',
      examples: [
        'millrace quality report',
        'millrace quality report --quality silver_klines_1m --limit 100',
        'millrace quality report --html quality.html',
      ],
      load: async () => (await import('./commands/quality.ts')).reportQuality,
    },
  ],
  [
    'contract',
    {
      description:
        'Print the contract of tables as YAML of the Open Data Contract Standard: columns, keys, and what is expected of them.',
      args: [
        {
          name: '[file]',
          description: "TypeScript or JavaScript that exports what defineQuality makes; default: the platform's tables",
        },
      ],
      examples: [
        'millrace contract > contract.odcs.yaml',
        'millrace contract ./quality.ts --id readings --contract-version 1.2.0',
      ],
      load: async () => (await import('./commands/contract.ts')).printContract,
    },
  ],
  [
    'dbt',
    {
      description:
        'Write files for dbt into the folder of a project: sources with columns and tests, and a view of each table.',
      args: [
        { name: '<folder>', description: 'of the project, where dbt_project.yml is' },
        {
          name: '[file]',
          description: "TypeScript or JavaScript that exports what defineQuality makes; default: the platform's tables",
        },
      ],
      examples: ['millrace dbt ./warehouse', 'millrace dbt ./warehouse ./quality.ts --schema simulated'],
      load: async () => (await import('./commands/contract.ts')).writeDbtFiles,
    },
  ],
  [
    'runs list',
    {
      description: 'List the runs of batch jobs, the newest intervals first: state, time taken, rows, and what failed.',
      examples: [
        'millrace runs list',
        'millrace runs list --job daily --state failed',
        'millrace runs list --from 2024-08-08 --json',
      ],
      load: async () => (await import('./commands/runs.ts')).listRuns,
    },
  ],
  [
    'runs show',
    {
      description: 'Print every attempt at the interval of a run, with all of its error.',
      args: [{ name: '<run>', description: 'as `runs list` prints it' }],
      examples: ['millrace runs show daily/2024-08-08T00:00:00Z/2024-08-09T00:00:00Z/1'],
      load: async () => (await import('./commands/runs.ts')).showRun,
    },
  ],
  [
    'runs retry',
    {
      description: 'Have intervals be run again, by the next worker that is free.',
      args: [{ name: '[runs...]', description: 'as `runs list` prints them' }],
      examples: [
        'millrace runs retry daily/2024-08-08T00:00:00Z/2024-08-09T00:00:00Z/5',
        'millrace runs retry --all --job daily',
      ],
      load: async () => (await import('./commands/runs.ts')).retryRuns,
    },
  ],
  [
    'runs backfill',
    {
      description: 'Run the intervals of a range that are not done, in several processes where that is asked for.',
      args: [{ name: '<file>', description: 'TypeScript or JavaScript that exports a job' }],
      examples: [
        'millrace runs backfill ./daily.ts --from 2024-01-01 --to 2024-08-01 --workers 4',
        'millrace runs backfill ./daily.ts --from 2024-08-08 --to 2024-08-09 --again',
      ],
      load: async () => (await import('./schedule/backfillRuns.ts')).backfillRuns,
    },
  ],
  [
    'candles',
    {
      description: 'Print candles of one symbol, the open one included.',
      examples: [
        'millrace candles --symbol BTCUSDT --interval 1m',
        'millrace candles --symbol BTCUSDT --interval 1h --from 2024-08-08 --to 2024-08-09 --format csv',
      ],
      load: async () => (await import('./commands/candles.ts')).candles,
    },
  ],
  [
    'rows',
    {
      description: 'Print rows of a table that a pipeline writes; without a name, say which tables there are.',
      args: [{ name: '[table]', description: 'the name of a table or view' }],
      examples: ['millrace rows', 'millrace rows hottest_1m', 'millrace rows hottest_1m --format csv --limit 1000000'],
      load: async () => (await import('./commands/rows.ts')).rows,
    },
  ],
  [
    'sql',
    {
      description:
        'Run SQL in the database of the data folder, or of DATABASE_URL: a column more for a table, a question about rows. Statements that are given together are one transaction. Tables of Millrace itself are to be read only.',
      args: [{ name: '<statements>', description: 'in quotes; several with ; between them' }],
      examples: [
        'millrace sql "SELECT count(*) FROM hottest_1m"',
        "millrace sql 'ALTER TABLE hottest_1m ADD COLUMN coldest numeric'",
        'millrace sql "SELECT * FROM hottest_1m ORDER BY celsius DESC" --format csv --limit 10',
      ],
      load: async () => (await import('./commands/sql.ts')).sql,
    },
  ],
  [
    'console',
    {
      description:
        'Serve the console in the browser: live candles, how each pipeline is doing, what was set aside. It reads the database of the data folder, or DATABASE_URL, and runs beside any pipeline. Ctrl-C stops it.',
      examples: [
        'millrace console',
        'millrace console --console-port 0',
        'MILLRACE_CONSOLE_TOKEN=$(openssl rand -hex 32) millrace console --console-host 0.0.0.0',
      ],
      load: async () => (await import('./commands/console.ts')).consoleCommand,
    },
  ],
  [
    'portfolio',
    {
      description:
        'Print what a portfolio of your own was worth at the end of each minute, with gains, drawdown and exposure.',
      examples: ['millrace portfolio', 'millrace portfolio --from 2026-01-01 --to 2026-01-02 --format csv'],
      load: async () => (await import('./commands/portfolio.ts')).portfolio,
    },
  ],
  [
    'indicators',
    {
      description: "Print the newest values of a symbol's indicators, as `run realtime --indicators` makes them.",
      args: [{ name: '<symbol>', description: 'such as BTCUSDT' }],
      examples: ['millrace indicators BTCUSDT', 'millrace indicators BTCUSDT --interval 5m --limit 20 --json'],
      load: async () => (await import('./commands/indicators.ts')).indicators,
    },
  ],
  [
    'status',
    {
      description: 'What runs, how far it is, what was set aside and what is archived.',
      examples: ['millrace status', 'millrace status --json'],
      load: async () => (await import('./commands/status.ts')).status,
    },
  ],
  [
    'dead-letters list',
    {
      description: 'List records that were set aside, newest first.',
      examples: ['millrace dead-letters list', 'millrace dead-letters list --reason late --json'],
      load: async () => (await import('./commands/deadLetters.ts')).listDeadLetters,
    },
  ],
  [
    'dead-letters show',
    {
      description: 'Print one dead letter with its key, headers and payload.',
      args: [{ name: '<id>', description: 'as `dead-letters list` prints it' }],
      examples: ['millrace dead-letters show realtime/crypto.trades.raw/2/1041/decode/0'],
      load: async () => (await import('./commands/deadLetters.ts')).showDeadLetter,
    },
  ],
  [
    'dead-letters redrive',
    {
      description:
        'Append dead letters to their topic again, key and headers included, so that they are processed once more.',
      args: [{ name: '[ids...]', description: 'as `dead-letters list` prints them' }],
      examples: [
        'millrace dead-letters redrive realtime/crypto.trades.raw/2/1041/decode/0',
        'millrace dead-letters redrive --all --reason malformed',
      ],
      load: async () => (await import('./commands/redrive.ts')).redriveDeadLetters,
    },
  ],
  [
    'outbox list',
    {
      description: 'Print what waits to be sent, by outlet, and messages that were refused, newest first.',
      examples: ['millrace outbox list', 'millrace outbox list --json'],
      load: async () => (await import('./commands/outbox.ts')).listOutbox,
    },
  ],
  [
    'outbox retry',
    {
      description: 'Have refused messages sent again, by the pipeline that made them.',
      args: [{ name: '[ids...]', description: 'as `outbox list` prints them' }],
      examples: ['millrace outbox retry hot/readings/0/pager/17', 'millrace outbox retry --all'],
      load: async () => (await import('./commands/outbox.ts')).retryOutbox,
    },
  ],
  [
    'alerts list',
    {
      description: 'Print what alert rules have decided, newest first.',
      examples: ['millrace alerts list', 'millrace alerts list --limit 20 --json'],
      load: async () => (await import('./commands/alerts.ts')).listAlerts,
    },
  ],
  [
    'alerts test',
    {
      description:
        'Check the file of alerts, name the symbols of its rules of which there is no candle, and send a test to each of its channels: exit code 1 where one does not take it.',
      examples: ['millrace alerts test', 'millrace alerts test --alerts-file ops/alerts.yaml'],
      load: async () => (await import('./commands/alerts.ts')).testAlerts,
    },
  ],
  [
    'alerts silence',
    {
      description:
        'Tell nobody of a rule for a while, written into the file of alerts: what runs reads it before it tells the next one. Decisions are still kept.',
      args: [
        { name: '<rule>', description: 'a rule of the file' },
        { name: '[symbols...]', description: 'default: all of the rule' },
      ],
      examples: ['millrace alerts silence btc-high', 'millrace alerts silence btc-high BTCUSDT --for 30m'],
      load: async () => (await import('./commands/alerts.ts')).silenceAlerts,
    },
  ],
  [
    'archive sweep',
    {
      description:
        'List objects that a crash left behind and that no manifest names. Only for a store that no other database archives the same topics into.',
      examples: ['millrace archive sweep', 'millrace archive sweep --delete'],
      load: async () => (await import('./commands/sweepArchive.ts')).sweepArchive,
    },
  ],
  [
    'lake tables',
    {
      description: 'List the tables of the lake, with their rows, files and last commit.',
      examples: ['millrace lake tables', 'millrace lake tables --json'],
      load: async () => (await import('./commands/lake.ts')).lakeTables,
    },
  ],
  [
    'lake serve',
    {
      description:
        'Serve the lake as an Iceberg REST catalog, for reading: DuckDB, Spark, Trino, ClickHouse and pyiceberg attach to it. Ctrl-C stops it.',
      examples: [
        'millrace lake serve',
        'MILLRACE_LAKE_TOKEN=$(openssl rand -hex 32) millrace lake serve --host 0.0.0.0 --port 8181',
      ],
      load: async () => (await import('./commands/lake.ts')).serveLake,
    },
  ],
  [
    'lake expire',
    {
      description: 'Let go of old snapshots of the lake, and of the files that only they need.',
      examples: ['millrace lake expire', 'millrace lake expire --keep 1 --keep-hours 168'],
      load: async () => (await import('./commands/lake.ts')).expire,
    },
  ],
  [
    'lake sweep',
    {
      description: 'List objects of the lake that a crash left behind and that no commit names.',
      examples: ['millrace lake sweep', 'millrace lake sweep --delete'],
      load: async () => (await import('./commands/lake.ts')).sweep,
    },
  ],
  [
    'state list',
    {
      description: 'List what pipelines keep: operators with their version, options, keys and bytes.',
      examples: ['millrace state list', 'millrace state list --pipeline paid --json'],
      load: async () => (await import('./commands/state.ts')).listState,
    },
  ],
  [
    'state copy',
    {
      description:
        'Copy where a pipeline stands, and what it keeps, under another name, which goes on from there. The old one may run meanwhile, unless its rows go as well.',
      examples: [
        'millrace state copy --from-pipeline paid --to-pipeline paid-next',
        'millrace state copy --from-pipeline paid --to-pipeline paid-renamed --with-rows',
      ],
      load: async () => (await import('./commands/state.ts')).copyState,
    },
  ],
  [
    'state drop',
    {
      description:
        'Drop what a pipeline or one of its operators keeps, so that it begins anew. Rows, dead letters and the archive stay. A worker that runs it is fenced; stop it first.',
      examples: [
        'millrace state drop --pipeline paid',
        'millrace state drop --pipeline paid --yes',
        'millrace state drop --pipeline paid --operator totals --yes',
        'millrace state drop --pipeline realtime --topic crypto.trades.raw',
      ],
      load: async () => (await import('./commands/state.ts')).dropState,
    },
  ],
  [
    'state own',
    {
      description:
        'Give rows of upsert tables to another owner: to the tasks of a pipeline that goes on with them, or to tasks that begin after that. Stop the pipelines first.',
      args: [{ name: '[tables...]', description: 'default: all that the pipeline was started with' }],
      examples: [
        'millrace state own --of paid --to paid-next',
        'millrace state own totals --of paid --to paid-next --yes',
        'millrace state own fact_realtime_trades_1m --of realtime/crypto.trades.raw/0 --to nobody --yes',
      ],
      load: async () => (await import('./commands/ownRows.ts')).ownRows,
    },
  ],
  [
    'offsets skip',
    {
      description:
        'Have a pipeline leave out offsets of a topic for good: a batch that cannot be read, a record that ends every start, or all before the one to start from. Recorded, and shown by status.',
      examples: [
        'millrace offsets skip --pipeline paid --topic orders --partition 3 --from-offset 1041 --to-offset 1042 --because "broken batch, disk of kafka-2"',
        'millrace offsets skip --pipeline paid --topic orders --partition 3 --to-offset 5000 --because "begin behind the test data" --yes',
      ],
      load: async () => (await import('./commands/offsets.ts')).skipOffsets,
    },
  ],
  [
    'offsets accept-loss',
    {
      description:
        'Have a pipeline go on though the log no longer has the records that come next. Recorded, and shown by status.',
      examples: [
        'millrace offsets accept-loss --pipeline paid --topic orders --partition 3 --to-offset 90000 --because "down for two weeks" --yes',
      ],
      load: async () => (await import('./commands/offsets.ts')).acceptLoss,
    },
  ],
  [
    'offsets unskip',
    {
      description:
        'Take back what was decided about offsets, as long as the pipeline has not gone past them. Recorded, and shown by offsets list.',
      examples: [
        'millrace offsets unskip --pipeline paid --topic orders --partition 3',
        'millrace offsets unskip --pipeline paid --topic orders --partition 3 --from-offset 1041 --yes',
      ],
      load: async () => (await import('./commands/offsets.ts')).unskipOffsets,
    },
  ],
  [
    'offsets list',
    {
      description: 'List what was decided about offsets: by whom, when and why.',
      examples: ['millrace offsets list', 'millrace offsets list --pipeline paid --json'],
      load: async () => (await import('./commands/offsets.ts')).listOffsets,
    },
  ],
  [
    'symbols list',
    {
      description: 'Print the symbols of the file: tier, whether they are enabled, streams.',
      examples: ['millrace symbols list', 'millrace symbols list --json'],
      load: async () => (await import('./commands/symbols.ts')).listSymbols,
    },
  ],
  [
    'symbols add',
    {
      description: 'Add symbols to the file, made where it is missing, once the exchange has said that it trades them.',
      args: [{ name: '<symbols...>', description: 'symbols of the exchange, such as BTCUSDT' }],
      examples: [
        'millrace symbols add BTCUSDT ETHUSDT',
        'millrace symbols add SOLUSDT --tier hot --streams trade,kline_1m',
      ],
      load: async () => (await import('./commands/symbols.ts')).addSymbols,
    },
  ],
  [
    'symbols remove',
    {
      description: 'Take symbols out of the file.',
      args: [{ name: '<symbols...>', description: 'symbols of the file' }],
      examples: ['millrace symbols remove SOLUSDT'],
      load: async () => (await import('./commands/symbols.ts')).removeSymbols,
    },
  ],
  [
    'symbols enable',
    {
      description: 'Have symbols of the file taken.',
      args: [{ name: '<symbols...>', description: 'symbols of the file' }],
      examples: ['millrace symbols enable SOLUSDT'],
      load: async () => (await import('./commands/symbols.ts')).enableSymbols,
    },
  ],
  [
    'symbols disable',
    {
      description: 'Have symbols left out, and keep them in the file.',
      args: [{ name: '<symbols...>', description: 'symbols of the file' }],
      examples: ['millrace symbols disable SOLUSDT'],
      load: async () => (await import('./commands/symbols.ts')).disableSymbols,
    },
  ],
  [
    'symbols validate',
    {
      description:
        'Hold the file against the exchange: exit code 1 where it does not have a symbol, or does not trade it now.',
      examples: ['millrace symbols validate', 'millrace symbols validate --symbols-file markets/usdm.yaml'],
      load: async () => (await import('./commands/symbols.ts')).validateSymbols,
    },
  ],
  [
    'topics create',
    {
      description: 'Make topics in Apache Kafka; one that is there already is left as it is.',
      args: [{ name: '[topics...]', description: 'default: crypto.trades.raw' }],
      examples: ['millrace topics create', 'MILLRACE_PARTITIONS=12 millrace topics create crypto.trades.usdm.raw'],
      load: async () => (await import('./commands/topics.ts')).createTopics,
    },
  ],
  [
    'topics describe',
    {
      description: 'Print partitions, offsets and retention of topics in Apache Kafka.',
      args: [{ name: '[topics...]', description: 'default: all that begin with crypto.trades.' }],
      examples: ['millrace topics describe', 'millrace topics describe crypto.trades.raw --json'],
      load: async () => (await import('./commands/topics.ts')).describeTopics,
    },
  ],
  [
    'buckets create',
    {
      description:
        'Make buckets in the object store that the AWS variables name; one that is there already is left as it is.',
      args: [{ name: '[buckets...]', description: 'default: raw, bronze, silver and gold' }],
      examples: ['AWS_ENDPOINT_URL_S3=http://127.0.0.1:7070 millrace buckets create'],
      load: async () => (await import('./commands/buckets.ts')).createBuckets,
    },
  ],
  [
    'health',
    {
      description:
        'Say whether the pipeline or ingest of the data folder is alive: exit code 0 or 1, for container health checks. With --ready also whether its data are well.',
      examples: ['millrace health', 'millrace health --ready --max-watermark-lag 60'],
      load: async () => (await import('./commands/health.ts')).health,
    },
  ],
  [
    'monitor',
    {
      description:
        'Serve /metrics for Prometheus, /healthz and /readyz, on loopback; with --alerts-file decide alerts over lag, gaps, dead letters and the like. Ctrl-C stops it.',
      examples: ['millrace monitor', 'millrace monitor --metrics-port 9464 --alerts-file alerts.yaml'],
      load: async () => (await import('./commands/monitor.ts')).monitor,
    },
  ],
  [
    'doctor',
    {
      description: 'Check this machine and say what to do about what is wrong.',
      examples: ['millrace doctor', 'millrace doctor --json'],
      load: async () => (await import('./commands/doctor.ts')).doctor,
    },
  ],
  [
    'migrate',
    {
      description: 'Bring the database up to date; `run` does so by itself.',
      examples: ['millrace migrate', 'DATABASE_URL=postgres://user:password@host/database millrace migrate'],
      load: async () => (await import('./commands/migrate.ts')).migrate,
    },
  ],
  [
    'backup',
    {
      description:
        'Back up all schemas of the database, with the embedded log and the files that they name, as they are at one moment, beside whatever runs; all of it is read back. A backup that is ended in the middle is none, and harms no other.',
      examples: ['millrace backup --place /mnt/backups', 'millrace backup --place s3://backups/millrace --keep 14'],
      load: async () => (await import('./commands/backup.ts')).backup,
    },
  ],
  [
    'backup list',
    {
      description: 'List the backups of a place: of which moment they are, and how much is in them.',
      examples: ['millrace backup list --place /mnt/backups', 'millrace backup list --place /mnt/backups --json'],
      load: async () => (await import('./commands/backup.ts')).listOfBackups,
    },
  ],
  [
    'backup verify',
    {
      description: 'Read all of a backup: exit code 1 where anything of it is gone or damaged.',
      args: [{ name: '[backup]', description: 'as `backup list` prints it; default: the newest' }],
      examples: ['millrace backup verify --place /mnt/backups'],
      load: async () => (await import('./commands/backup.ts')).verifyOneBackup,
    },
  ],
  [
    'restore',
    {
      description:
        'Restore a backup into a database that has none of its tables, in one transaction: all of it or nothing. Anything that is there already is refused.',
      args: [{ name: '[backup]', description: 'as `backup list` prints it; default: the newest' }],
      examples: [
        'millrace restore --place /mnt/backups',
        'millrace restore 20260115T101500123Z --place s3://backups/millrace --data-dir ./restored',
      ],
      load: async () => (await import('./commands/restore.ts')).restore,
    },
  ],
  [
    'stop',
    {
      description:
        'Stop everything that runs on the data folder on this machine, in order: what is read is committed. Says what has stopped; exit code 1 where something has not.',
      examples: ['millrace stop', 'millrace stop --wait 120'],
      load: async () => (await import('./commands/stop.ts')).stop,
    },
  ],
  [
    'cleanup',
    {
      description:
        'Delete what Millrace keeps in the data folder: the embedded database with its log, archive, lake. Says what that is, and asks first. Refused while something runs on it.',
      examples: ['millrace cleanup', 'millrace cleanup --yes'],
      load: async () => (await import('./commands/cleanup.ts')).cleanup,
    },
  ],
  [
    'retention',
    {
      description:
        'Say what is older than MILLRACE_KEEP keeps it, by table; with --yes delete it now. What runs a pipeline deletes it by itself.',
      examples: ['millrace retention --keep candles-1m=90d,dead-letters=30d', 'millrace retention --yes'],
      load: async () => (await import('./commands/retention.ts')).retention,
    },
  ],
])
