import type { Described } from './commandDescription.ts'

export const provisionsCommands: Described<'provisions'> = {
  'symbols list': {
    description: 'Print the symbols of the file: tier, whether they are enabled, streams.',
    examples: ['millrace symbols list', 'millrace symbols list --json'],
    load: async () => (await import('../commands/symbols.ts')).listSymbols,
  },
  'symbols add': {
    description: 'Add symbols to the file, made where it is missing, once the exchange has said that it trades them.',
    args: [{ name: '<symbols...>', description: 'symbols of the exchange, such as BTCUSDT' }],
    examples: [
      'millrace symbols add BTCUSDT ETHUSDT',
      'millrace symbols add SOLUSDT --tier hot --streams trade,kline_1m',
    ],
    load: async () => (await import('../commands/symbols.ts')).addSymbols,
  },
  'symbols remove': {
    description: 'Take symbols out of the file.',
    args: [{ name: '<symbols...>', description: 'symbols of the file' }],
    examples: ['millrace symbols remove SOLUSDT'],
    load: async () => (await import('../commands/symbols.ts')).removeSymbols,
  },
  'symbols enable': {
    description: 'Have symbols of the file taken.',
    args: [{ name: '<symbols...>', description: 'symbols of the file' }],
    examples: ['millrace symbols enable SOLUSDT'],
    load: async () => (await import('../commands/symbols.ts')).enableSymbols,
  },
  'symbols disable': {
    description: 'Have symbols left out, and keep them in the file.',
    args: [{ name: '<symbols...>', description: 'symbols of the file' }],
    examples: ['millrace symbols disable SOLUSDT'],
    load: async () => (await import('../commands/symbols.ts')).disableSymbols,
  },
  'symbols validate': {
    description:
      'Hold the file against the exchange: exit code 1 where it does not have a symbol, or does not trade it now.',
    examples: ['millrace symbols validate', 'millrace symbols validate --symbols-file markets/usdm.yaml'],
    load: async () => (await import('../commands/symbols.ts')).validateSymbols,
  },
  'topics create': {
    description: 'Make topics in Apache Kafka; one that is there already is left as it is.',
    args: [{ name: '[topics...]', description: 'default: crypto.trades.raw' }],
    examples: ['millrace topics create', 'MILLRACE_PARTITIONS=12 millrace topics create crypto.trades.usdm.raw'],
    load: async () => (await import('../commands/topics.ts')).createTopics,
  },
  'topics describe': {
    description: 'Print partitions, offsets and retention of topics in Apache Kafka.',
    args: [{ name: '[topics...]', description: 'default: all that begin with crypto.trades.' }],
    examples: ['millrace topics describe', 'millrace topics describe crypto.trades.raw --json'],
    load: async () => (await import('../commands/topics.ts')).describeTopics,
  },
  'buckets create': {
    description:
      'Make buckets in the object store that the AWS variables name; one that is there already is left as it is.',
    args: [{ name: '[buckets...]', description: 'default: raw, bronze, silver and gold' }],
    examples: ['AWS_ENDPOINT_URL_S3=http://127.0.0.1:7070 millrace buckets create'],
    load: async () => (await import('../commands/buckets.ts')).createBuckets,
  },
}
