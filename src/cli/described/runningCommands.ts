import type { Described } from './commandDescription.ts'

export const runningCommands: Described<'running'> = {
  new: {
    description:
      'Make a small project: a pipeline with its feed, its table and its test. Its name is that of the folder.',
    args: [{ name: '<folder>', description: 'one that is empty or not there yet' }],
    examples: ['millrace new my-app', 'millrace new .', 'millrace new my-app --package ./millrace-0.1.0.tgz'],
    load: async () => (await import('../commands/new.ts')).newProject,
  },
  run: {
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
    load: async () => (await import('../commands/run.ts')).runFile,
  },
  'run realtime': {
    description: 'Take trades in, make candles of them, archive them. Ctrl-C stops cleanly; start again to go on.',
    examples: [
      'millrace run realtime',
      'millrace run realtime --source simulator',
      'millrace run realtime --source binance --symbols BTCUSDT,ETHUSDT',
      'millrace run realtime --tape frames.jsonl --until-end --close-open',
      'KAFKA_BROKERS=127.0.0.1:9092 millrace run realtime --source none --workers 2',
    ],
    load: async () => (await import('../realtime/runRealtime.ts')).runRealtime,
  },
  'run batch': {
    description:
      'Make silver, gold and the tables of the lake of what has changed since the last pass: minutes of the archive and of the exchange, late and corrected ones included.',
    examples: [
      'millrace run batch',
      'millrace run batch --schedule',
      'millrace run batch --full',
      'millrace run batch --market simulated --json',
    ],
    load: async () => (await import('../commands/runBatch.ts')).runBatch,
  },
  ingest: {
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
    load: async () => (await import('../commands/ingest.ts')).ingest,
  },
  record: {
    description:
      'Record the frames of the exchange, or of the simulator, into a tape, which `run realtime --tape` reads. Started again with the same file, it goes on where it was.',
    args: [{ name: '<file>', description: 'the tape: one frame a line' }],
    examples: [
      'millrace record frames.jsonl --seconds 60',
      'millrace record frames.jsonl --source binance --symbols BTCUSDT,ETHUSDT',
      'millrace record invented.jsonl --source simulator --records 1000',
    ],
    load: async () => (await import('../commands/record.ts')).record,
  },
  exchange: {
    description:
      "Run a simulated exchange on loopback, with invented prices: Binance's WebSocket and REST that agree with each other, its limits, and faults on demand. For testing whatever takes trades in.",
    examples: [
      'millrace exchange',
      'millrace exchange --symbols BTCUSDT,ETHUSDT --rate 200 --seed 7',
      'millrace exchange --port 0 --faults 6',
    ],
    load: async () => (await import('../commands/exchange.ts')).exchange,
  },
  graph: {
    description: 'Draw what a pipeline consists of: inputs, operators, outlets, and who reads whom. Nothing is run.',
    args: [{ name: '<file>', description: 'TypeScript or JavaScript that exports a pipeline, or realtime' }],
    examples: [
      'millrace graph realtime',
      'millrace graph ./paid.ts',
      'millrace graph ./paid.ts --mermaid',
      'millrace graph ./paid.ts --json',
    ],
    load: async () => (await import('../commands/graph.ts')).graph,
  },
  'runs list': {
    description: 'List the runs of batch jobs, the newest intervals first: state, time taken, rows, and what failed.',
    examples: [
      'millrace runs list',
      'millrace runs list --job daily --state failed',
      'millrace runs list --from 2024-08-08 --json',
    ],
    load: async () => (await import('../commands/runs.ts')).listRuns,
  },
  'runs show': {
    description: 'Print every attempt at the interval of a run, with all of its error.',
    args: [{ name: '<run>', description: 'as `runs list` prints it' }],
    examples: ['millrace runs show daily/2024-08-08T00:00:00Z/2024-08-09T00:00:00Z/1'],
    load: async () => (await import('../commands/runs.ts')).showRun,
  },
  'runs retry': {
    description: 'Have intervals be run again, by the next worker that is free.',
    args: [{ name: '[runs...]', description: 'as `runs list` prints them' }],
    examples: [
      'millrace runs retry daily/2024-08-08T00:00:00Z/2024-08-09T00:00:00Z/5',
      'millrace runs retry --all --job daily',
    ],
    load: async () => (await import('../commands/runs.ts')).retryRuns,
  },
  'runs backfill': {
    description: 'Run the intervals of a range that are not done, in several processes where that is asked for.',
    args: [{ name: '<file>', description: 'TypeScript or JavaScript that exports a job' }],
    examples: [
      'millrace runs backfill ./daily.ts --from 2024-01-01 --to 2024-08-01 --workers 4',
      'millrace runs backfill ./daily.ts --from 2024-08-08 --to 2024-08-09 --again',
    ],
    load: async () => (await import('../schedule/backfillRuns.ts')).backfillRuns,
  },
}
