import type { Described } from './commandDescription.ts'

export const readingCommands: Described<'reading'> = {
  candles: {
    description: 'Print candles of one symbol, the open one included.',
    examples: [
      'millrace candles --symbol BTCUSDT --interval 1m',
      'millrace candles --symbol BTCUSDT --interval 1h --from 2024-08-08 --to 2024-08-09 --format csv',
    ],
    load: async () => (await import('../commands/candles.ts')).candles,
  },
  rows: {
    description: 'Print rows of a table that a pipeline writes; without a name, say which tables there are.',
    args: [{ name: '[table]', description: 'the name of a table or view' }],
    examples: ['millrace rows', 'millrace rows hottest_1m', 'millrace rows hottest_1m --format csv --limit 1000000'],
    load: async () => (await import('../commands/rows.ts')).rows,
  },
  sql: {
    description:
      'Run SQL in the database of the data folder, or of DATABASE_URL: a column more for a table, a question about rows. Statements that are given together are one transaction. Tables of Millrace itself are to be read only.',
    args: [{ name: '<statements>', description: 'in quotes; several with ; between them' }],
    examples: [
      'millrace sql "SELECT count(*) FROM hottest_1m"',
      "millrace sql 'ALTER TABLE hottest_1m ADD COLUMN coldest numeric'",
      'millrace sql "SELECT * FROM hottest_1m ORDER BY celsius DESC" --format csv --limit 10',
    ],
    load: async () => (await import('../commands/sql.ts')).sql,
  },
  console: {
    description:
      'Serve the console in the browser: live candles, how each pipeline is doing, what was set aside. It reads the database of the data folder, or DATABASE_URL, and runs beside any pipeline. Ctrl-C stops it.',
    examples: [
      'millrace console',
      'millrace console --console-port 0',
      'MILLRACE_CONSOLE_TOKEN=$(openssl rand -hex 32) millrace console --console-host 0.0.0.0',
    ],
    load: async () => (await import('../commands/console.ts')).consoleCommand,
  },
  portfolio: {
    description:
      'Print what a portfolio of your own was worth at the end of each minute, with gains, drawdown and exposure.',
    examples: ['millrace portfolio', 'millrace portfolio --from 2026-01-01 --to 2026-01-02 --format csv'],
    load: async () => (await import('../commands/portfolio.ts')).portfolio,
  },
  indicators: {
    description: "Print the newest values of a symbol's indicators, as `run realtime --indicators` makes them.",
    args: [{ name: '<symbol>', description: 'such as BTCUSDT' }],
    examples: ['millrace indicators BTCUSDT', 'millrace indicators BTCUSDT --interval 5m --limit 20 --json'],
    load: async () => (await import('../commands/indicators.ts')).indicators,
  },
  status: {
    description: 'What runs, how far it is, what was set aside and what is archived.',
    examples: ['millrace status', 'millrace status --json'],
    load: async () => (await import('../commands/status.ts')).status,
  },
}
