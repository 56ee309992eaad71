import type { Described } from './commandDescription.ts'

export const progressCommands: Described<'progress'> = {
  'state list': {
    description: 'List what pipelines keep: operators with their version, options, keys and bytes.',
    examples: ['millrace state list', 'millrace state list --pipeline paid --json'],
    load: async () => (await import('../commands/state.ts')).listState,
  },
  'state copy': {
    description:
      'Copy where a pipeline stands, and what it keeps, under another name, which goes on from there. The old one may run meanwhile, unless its rows go as well.',
    examples: [
      'millrace state copy --from-pipeline paid --to-pipeline paid-next',
      'millrace state copy --from-pipeline paid --to-pipeline paid-renamed --with-rows',
    ],
    load: async () => (await import('../commands/state.ts')).copyState,
  },
  'state drop': {
    description:
      'Drop what a pipeline or one of its operators keeps, so that it begins anew. Rows, dead letters and the archive stay. A worker that runs it is fenced; stop it first.',
    examples: [
      'millrace state drop --pipeline paid',
      'millrace state drop --pipeline paid --yes',
      'millrace state drop --pipeline paid --operator totals --yes',
      'millrace state drop --pipeline realtime --topic crypto.trades.raw',
    ],
    load: async () => (await import('../commands/state.ts')).dropState,
  },
  'state own': {
    description:
      'Give rows of upsert tables to another owner: to the tasks of a pipeline that goes on with them, or to tasks that begin after that. Stop the pipelines first.',
    args: [{ name: '[tables...]', description: 'default: all that the pipeline was started with' }],
    examples: [
      'millrace state own --of paid --to paid-next',
      'millrace state own totals --of paid --to paid-next --yes',
      'millrace state own fact_realtime_trades_1m --of realtime/crypto.trades.raw/0 --to nobody --yes',
    ],
    load: async () => (await import('../commands/ownRows.ts')).ownRows,
  },
  'offsets skip': {
    description:
      'Have a pipeline leave out offsets of a topic for good: a batch that cannot be read, a record that ends every start, or all before the one to start from. Recorded, and shown by status.',
    examples: [
      'millrace offsets skip --pipeline paid --topic orders --partition 3 --from-offset 1041 --to-offset 1042 --because "broken batch, disk of kafka-2"',
      'millrace offsets skip --pipeline paid --topic orders --partition 3 --to-offset 5000 --because "begin behind the test data" --yes',
    ],
    load: async () => (await import('../commands/offsets.ts')).skipOffsets,
  },
  'offsets accept-loss': {
    description:
      'Have a pipeline go on though the log no longer has the records that come next. Recorded, and shown by status.',
    examples: [
      'millrace offsets accept-loss --pipeline paid --topic orders --partition 3 --to-offset 90000 --because "down for two weeks" --yes',
    ],
    load: async () => (await import('../commands/offsets.ts')).acceptLoss,
  },
  'offsets unskip': {
    description:
      'Take back what was decided about offsets, as long as the pipeline has not gone past them. Recorded, and shown by offsets list.',
    examples: [
      'millrace offsets unskip --pipeline paid --topic orders --partition 3',
      'millrace offsets unskip --pipeline paid --topic orders --partition 3 --from-offset 1041 --yes',
    ],
    load: async () => (await import('../commands/offsets.ts')).unskipOffsets,
  },
  'offsets list': {
    description: 'List what was decided about offsets: by whom, when and why.',
    examples: ['millrace offsets list', 'millrace offsets list --pipeline paid --json'],
    load: async () => (await import('../commands/offsets.ts')).listOffsets,
  },
}
