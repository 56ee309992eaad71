import type { BatchRecord } from '../../src/sources/recordBatch/encode.ts'
import type { Random } from '../../src/testing/random.ts'

/** A record, and what has to become of it. */
export interface DrawnRecord {
  readonly record: BatchRecord
  /** What it is, for whoever looks at a failing seed. */
  readonly kind: string
  /** The id whose rows must be there; null for one that must become a dead letter. */
  readonly soundId: number | null
}

/** Of a topic of Kafka the broker takes no larger ones. */
export interface DrawOptions {
  readonly mostBytes: number
}

const mebibyte = 1 << 20
const longestTime = 2 ** 51

type Draw = (
  random: Random,
  id: number,
  options: DrawOptions,
) => { value: Buffer | null } & Partial<Omit<BatchRecord, 'value'>>

const sized = (random: Random, { mostBytes }: DrawOptions, most: number) => random.int(1, Math.min(most, mostBytes))

const sound: Readonly<Record<string, Draw>> = {
  plain: (_, id) => ({ value: json({ id }) }),
  spaced: (_, id) => ({ value: Buffer.from(`\t {"id" : ${id} , "other":[{}] } \n`) }),
  'large value': (random, id, options) => ({ value: json({ id, pad: 'x'.repeat(sized(random, options, mebibyte)) }) }),
  'wide text': (random, id, options) => ({
    value: json({ id, pad: '\u{1F4A5}€'.repeat(sized(random, options, 100_000) / 8) }),
  }),
  'escaped NULs': (_, id) => ({ value: json({ id, pad: '\u0000\uD800␛'.repeat(50) }) }),
  'deep extra': (random, id) => {
    const depth = random.int(1, 400)
    return { value: Buffer.from(`{"id":${id},"deep":${'['.repeat(depth)}${']'.repeat(depth)}}`) }
  },
  'large key': (random, id, options) => ({
    key: Buffer.alloc(sized(random, options, mebibyte), random.int(0, 255)),
    value: json({ id }),
  }),
  'many headers': (random, id, options) => ({
    headers: Array.from({ length: Math.min(random.int(1, 20_000), options.mostBytes / 20) }, (_, i) => ({
      key: `h${i}`,
      value: random.chance(0.1) ? null : Buffer.from([i & 255]),
    })),
    value: json({ id }),
  }),
  'odd headers': (_, id) => ({
    headers: [
      { key: '__proto__', value: Buffer.from([0, 255]) },
      { key: '\u0000', value: null },
      { key: '', value: Buffer.alloc(0) },
    ],
    value: json({ id }),
  }),
  'far time': (random, id) => ({
    timestamp: random.pick([0, 1, -1, -longestTime, longestTime, 253_402_300_800_000]),
    value: json({ id }),
  }),
  'many rows': (random, id) => ({ value: json({ id, rows: random.int(0, 3_000) }) }),
}

const hostile: Readonly<Record<string, Draw>> = {
  'no value': () => ({ value: null }),
  'empty value': () => ({ value: Buffer.alloc(0) }),
  NULs: (random, _, options) => ({ value: Buffer.alloc(sized(random, options, mebibyte)) }),
  'not UTF-8': (random, _, options) => ({
    value: Buffer.alloc(sized(random, options, 200_000), random.pick([0xff, 0xc0, 0xed])),
  }),
  'very deep': (random, _, options) => ({
    value: Buffer.alloc(sized(random, options, 2 * mebibyte), random.pick(['[', '{"a":', '[[],'])),
  }),
  'cut off': (random, id) => ({ value: json({ id, pad: 'abc' }).subarray(0, random.int(1, 15)) }),
  'no object': (random) => ({ value: Buffer.from(random.pick(['[]', '7', 'null', '"x"', 'NaN', '{}{}'])) }),
  'bad id': (random) => ({
    value: Buffer.from(`{"id":${random.pick(['"1"', '1e400', '-1', '0.5', '{}', '9007199254740993', 'null'])}}`),
  }),
  'row bomb': (random, id) => ({ value: json({ id, rows: random.int(100_001, 3_000_000) }) }),
  'redriven for nobody': () => ({
    headers: [{ key: 'millrace-redrive', value: Buffer.from('nowhere') }],
    value: Buffer.from('{"id":1}'),
  }),
  'large rubbish': (random, _, options) => ({ value: Buffer.alloc(sized(random, options, 12 * mebibyte), 'rubbish ') }),
  huge: (random, _, options) => ({
    value: Buffer.alloc(Math.min(options.mostBytes, random.int(9, 50) * mebibyte), '{"id":1,"pad":"'),
  }),
  'large list': (random, _, options) => ({
    value: Buffer.from(`{"id":1,"x":[${'{},'.repeat(sized(random, options, 3 * mebibyte) / 3)}`),
  }),
}

/** How often each comes beside the others, where that is not once. */
const weights: Readonly<Record<string, number>> = {
  plain: 20,
  spaced: 3,
  huge: 0.1,
  'row bomb': 0.2,
  'large rubbish': 0.3,
}

const drawn = [
  ...Object.entries(sound).map((entry) => [...entry, true] as const),
  ...Object.entries(hostile).map((entry) => [...entry, false] as const),
]
const total = drawn.reduce((sum, [kind]) => sum + (weights[kind] ?? 1), 0)

export function drawRecord(random: Random, id: number, options: DrawOptions): DrawnRecord {
  let at = random.fraction() * total
  for (const [kind, draw, isSound] of drawn) {
    at -= weights[kind] ?? 1
    if (at > 0) continue
    const { value, key = null, timestamp = 1_700_000_000_000 + id, headers = [] } = draw(random, id, options)
    return { record: { timestamp, key, value, headers }, kind, soundId: isSound ? id : null }
  }
  return { record: { timestamp: id, key: null, value: json({ id }), headers: [] }, kind: 'plain', soundId: id }
}

function json(value: unknown): Buffer {
  return Buffer.from(JSON.stringify(value))
}
