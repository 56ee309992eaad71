import type { Described } from './commandDescription.ts'

export const dataCommands: Described<'data'> = {
  backfill: {
    description:
      "Bring history of the exchange: closed candles into the table raw_klines, by REST within the exchange's limits or from its archives, or trades into a topic (--trades). Stopped, it goes on where it was; a second time changes nothing.",
    examples: [
      'millrace backfill --symbols BTCUSDT,ETHUSDT --interval 1m,1h --from 2024-08-01',
      'millrace backfill --symbols BTCUSDT --from 2024-08-01 --to 2024-08-08 --again',
      'millrace backfill --file BTCUSDT-1m-2024-07.zip BTCUSDT-1m-2024-08.zip',
      'millrace backfill --market usdm --url https://data.binance.vision/data/futures/um/monthly/klines/BTCUSDT/1m/BTCUSDT-1m-2024-08.zip',
      'millrace backfill --trades --symbols BTCUSDT --from 2024-08-08T23:55:00Z --to 2024-08-09',
    ],
    load: async () => (await import('../commands/backfill.ts')).backfill,
  },
  reconcile: {
    description:
      "Compare our closed candles with the exchange's own in raw_klines. What differs is kept in candle_difference until it is equal or explained; exit code 1 while something is open. With --follow it compares each minute as it closes and has what is missing brought in again.",
    examples: [
      'millrace reconcile',
      'millrace reconcile --follow',
      'millrace reconcile --symbol BTCUSDT --from 2024-08-08 --to 2024-08-09',
      'millrace reconcile --symbol BTCUSDT --from 2024-08-08T23:54:00Z --to 2024-08-08T23:55:00Z --explain "the tape begins in this minute"',
    ],
    load: async () => (await import('../commands/reconcile.ts')).reconcile,
  },
  verify: {
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
    load: async () => (await import('../commands/verify.ts')).verify,
  },
  'quality check': {
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
    load: async () => (await import('../commands/quality.ts')).checkTables,
  },
  'quality report': {
    description:
      'Show what the newest checks of each table came to, which windows did not pass, and what is in quarantine.',
    examples: [
      'millrace quality report',
      'millrace quality report --quality silver_klines_1m --limit 100',
      'millrace quality report --html quality.html',
    ],
    load: async () => (await import('../commands/quality.ts')).reportQuality,
  },
  contract: {
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
    load: async () => (await import('../commands/contract.ts')).printContract,
  },
  dbt: {
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
    load: async () => (await import('../commands/contract.ts')).writeDbtFiles,
  },
}
