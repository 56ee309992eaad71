import type { Described } from './commandDescription.ts'

export const messagesCommands: Described<'messages'> = {
  'dead-letters list': {
    description: 'List records that were set aside, newest first.',
    examples: ['millrace dead-letters list', 'millrace dead-letters list --reason late --json'],
    load: async () => (await import('../commands/deadLetters.ts')).listDeadLetters,
  },
  'dead-letters show': {
    description: 'Print one dead letter with its key, headers and payload.',
    args: [{ name: '<id>', description: 'as `dead-letters list` prints it' }],
    examples: ['millrace dead-letters show realtime/crypto.trades.raw/2/1041/decode/0'],
    load: async () => (await import('../commands/deadLetters.ts')).showDeadLetter,
  },
  'dead-letters redrive': {
    description:
      'Append dead letters to their topic again, key and headers included, so that they are processed once more.',
    args: [{ name: '[ids...]', description: 'as `dead-letters list` prints them' }],
    examples: [
      'millrace dead-letters redrive realtime/crypto.trades.raw/2/1041/decode/0',
      'millrace dead-letters redrive --all --reason malformed',
    ],
    load: async () => (await import('../commands/redrive.ts')).redriveDeadLetters,
  },
  'outbox list': {
    description: 'Print what waits to be sent, by outlet, and messages that were refused, newest first.',
    examples: ['millrace outbox list', 'millrace outbox list --json'],
    load: async () => (await import('../commands/outbox.ts')).listOutbox,
  },
  'outbox retry': {
    description: 'Have refused messages sent again, by the pipeline that made them.',
    args: [{ name: '[ids...]', description: 'as `outbox list` prints them' }],
    examples: ['millrace outbox retry hot/readings/0/pager/17', 'millrace outbox retry --all'],
    load: async () => (await import('../commands/outbox.ts')).retryOutbox,
  },
  'alerts list': {
    description: 'Print what alert rules have decided, newest first.',
    examples: ['millrace alerts list', 'millrace alerts list --limit 20 --json'],
    load: async () => (await import('../commands/alerts.ts')).listAlerts,
  },
  'alerts test': {
    description:
      'Check the file of alerts, name the symbols of its rules of which there is no candle, and send a test to each of its channels: exit code 1 where one does not take it.',
    examples: ['millrace alerts test', 'millrace alerts test --alerts-file ops/alerts.yaml'],
    load: async () => (await import('../commands/alerts.ts')).testAlerts,
  },
  'alerts silence': {
    description:
      'Tell nobody of a rule for a while, written into the file of alerts: what runs reads it before it tells the next one. Decisions are still kept.',
    args: [
      { name: '<rule>', description: 'a rule of the file' },
      { name: '[symbols...]', description: 'default: all of the rule' },
    ],
    examples: ['millrace alerts silence btc-high', 'millrace alerts silence btc-high BTCUSDT --for 30m'],
    load: async () => (await import('../commands/alerts.ts')).silenceAlerts,
  },
}
