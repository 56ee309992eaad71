import { isStreamName, streamsAllowed } from '../sources/symbols/streamName.ts'
import { atCommas, listOf, such, text, yesOrNo, yesOrNoAllowed } from './settingReaders.ts'
import type { Setting } from './settingTypes.ts'

/** The part of the table of settings that is about the file of symbols. */
export const symbolsSettingTable = {
  symbolsFile: {
    read: text(),
    env: 'MILLRACE_SYMBOLS_FILE',
    flag: '--symbols-file <file>',
    commands: [
      'run realtime',
      'ingest',
      'record',
      'symbols list',
      'symbols add',
      'symbols remove',
      'symbols enable',
      'symbols disable',
      'symbols validate',
      'doctor',
    ],
    default: null,
    allowed: 'a file of symbols, as `millrace symbols add` makes it',
    description:
      'Takes the symbols that are enabled in this file and have the stream trade; changes of it are picked up while it runs. Unset: symbols.yaml for the symbols commands; the others take --symbols.',
    narrower: {
      record: { description: 'Takes the symbols that are enabled in this file and have the stream trade.' },
      doctor: { description: 'Asks the exchange whether the symbols that are enabled in this file are traded.' },
    },
  },
  tier: {
    read: text(1, 40),
    env: null,
    flag: '--tier <name>',
    commands: ['symbols add'],
    default: null,
    allowed: 'a tier of the file',
    description: 'Whose streams the new symbols have. Unset: the only tier of the file.',
  },
  symbolStreams: {
    read: listOf(atCommas, such(isStreamName), { most: 20 }),
    env: null,
    flag: '--streams <list>',
    commands: ['symbols add'],
    default: null,
    allowed: `${streamsAllowed}; several with commas between`,
    description: 'Streams of their own for the new symbols. Unset: those of the tier.',
  },
  unchecked: {
    read: yesOrNo,
    env: null,
    flag: '--unchecked',
    commands: ['symbols add'],
    default: 'false',
    allowed: yesOrNoAllowed,
    description: 'Without asking the exchange whether it has them.',
  },
} as const satisfies Record<string, Setting>
