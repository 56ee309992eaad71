import type { Described } from './commandDescription.ts'

export const storageCommands: Described<'storage'> = {
  'archive sweep': {
    description:
      'List objects that a crash left behind and that no manifest names. Only for a store that no other database archives the same topics into.',
    examples: ['millrace archive sweep', 'millrace archive sweep --delete'],
    load: async () => (await import('../commands/sweepArchive.ts')).sweepArchive,
  },
  'lake tables': {
    description: 'List the tables of the lake, with their rows, files and last commit.',
    examples: ['millrace lake tables', 'millrace lake tables --json'],
    load: async () => (await import('../commands/lake.ts')).lakeTables,
  },
  'lake serve': {
    description:
      'Serve the lake as an Iceberg REST catalog, for reading: DuckDB, Spark, Trino, ClickHouse and pyiceberg attach to it. Ctrl-C stops it.',
    examples: [
      'millrace lake serve',
      'MILLRACE_LAKE_TOKEN=$(openssl rand -hex 32) millrace lake serve --host 0.0.0.0 --port 8181',
    ],
    load: async () => (await import('../commands/lake.ts')).serveLake,
  },
  'lake expire': {
    description: 'Let go of old snapshots of the lake, and of the files that only they need.',
    examples: ['millrace lake expire', 'millrace lake expire --keep 1 --keep-hours 168'],
    load: async () => (await import('../commands/lake.ts')).expire,
  },
  'lake sweep': {
    description: 'List objects of the lake that a crash left behind and that no commit names.',
    examples: ['millrace lake sweep', 'millrace lake sweep --delete'],
    load: async () => (await import('../commands/lake.ts')).sweep,
  },
}
