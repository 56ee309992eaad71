import { EMPTY, NEVER, type Observable, of } from 'rxjs'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import * as archiveExports from '../../src/archive.ts'
import * as avroExports from '../../src/avro.ts'
import * as millrace from '../../src/index.ts'
import type { InputOptions } from '../../src/runtime/pipeline/input.ts'
import * as testingExports from '../../src/testing/index.ts'

type Options = Readonly<Record<string, unknown>>
/** An option as it may be, and what no JavaScript may give for it. */
interface Example {
  readonly value: unknown
  readonly wrong: unknown
  readonly isNeeded: boolean
}

const need = (value: unknown, wrong: unknown): Example => ({ value, wrong, isNeeded: true })
const may = (value: unknown, wrong: unknown): Example => ({ value, wrong, isNeeded: false })
const late = async () => null
const text = () => 'k'
const codec = millrace.jsonCodec(z.object({ id: z.string() }))
const orders = millrace.topic('orders', { value: codec, key: millrace.textCodec() })
const lines = millrace.table('lines', { columns: { line: 'text' } })
const table = millrace.toTable(EMPTY, { name: 'rows', by: text, value: () => 1, maxKeys: 1 })
const state = { encode: () => null, decode: () => null }
const wrongState = { encode: () => null }

const name = need('n', 7)
const mayName = may('n', '')
const by = need(text, 'user')
const onReject = may(() => undefined, 'log')
const saved = may(state, wrongState)
const duration = (value: unknown, isNeeded: boolean): Example => ({ value, wrong: { ms: 5 }, isNeeded })
const time = may(() => 0, late)
const fold = { initial: need(() => 0, 0), add: need(() => 0, late), result: need(() => 0, late) }
const sides = { left: text, right: text }

const stream = {
  market: need('spot', 'margin'),
  timeUnit: need('ms', 's'),
  symbols: may(['A'], 7),
  receivedAt: may(() => null, late),
  quality: may(millrace.qualityRules.trade, {}),
}

interface Taker {
  readonly make: (options: never) => unknown
  /** As messages call it, where that is not how it is exported. */
  readonly title?: string
  readonly options: Readonly<Record<string, Example>>
}

/** What takes an object of options, with every option of its own. */
const takers: Readonly<Record<string, Taker>> = {
  aggregateWindow: {
    make: millrace.aggregateWindow,
    options: {
      name: mayName,
      ...fold,
      merge: may(() => 0, 'sum'),
      state: saved,
      version: may(1, '1'),
      migrate: may(() => null, {}),
      early: may({ everyValues: 5 }, 5),
      withdraws: may(true, 1),
      onReject,
    },
  },
  asOfJoin: {
    make: (options) => millrace.asOfJoin(NEVER, options),
    options: {
      name,
      by: need(sides, text),
      keepMs: duration('1m', true),
      isEnd: may(() => false, true),
      with: need(() => null, late),
      state: may({ left: state }, { left: wrongState }),
      onReject,
    },
  },
  batchFlush: {
    make: millrace.batchFlush,
    options: {
      name: mayName,
      maxCount: need(1, '1'),
      maxBytes: may(1, '1'),
      bytesOf: may(() => 1, 1),
    },
  },
  countWindow: {
    make: millrace.countWindow,
    options: {
      name,
      size: need(1, '1'),
      by,
      of: time,
      maxWaitMs: duration('1h', false),
      maxKeys: may(1, '1'),
      state: saved,
      onReject,
    },
  },
  decode: { make: (options) => millrace.decode(codec, options), options: { name: mayName, onReject } },
  dedupe: {
    make: millrace.dedupe,
    options: {
      name: mayName,
      by,
      id: need(() => 1, 'id'),
      ids: may('ranges', 'range'),
      ttlMs: duration('1h', true),
      onReject,
    },
  },
  enrich: {
    make: (options) => millrace.enrich(table, options),
    options: { name: mayName, by, with: need(() => null, late), onReject },
  },
  eventTime: {
    make: millrace.eventTime,
    options: {
      name: mayName,
      of: need(() => 0, 'at'),
      maxOutOfOrdernessMs: duration(0, true),
      maxAdvanceMs: duration('1m', false),
      confirmations: may(3, '3'),
      state: saved,
      onReject,
    },
  },
  hoppingWindow: {
    make: millrace.hoppingWindow,
    options: {
      name,
      sizeMs: duration('5m', true),
      hopMs: duration('1m', true),
      by,
      of: time,
      allowedLatenessMs: duration(0, false),
      onReject,
    },
  },
  inOrder: { make: millrace.inOrder, options: { name: mayName, of: time, state: saved, onReject } },
  intervalJoin: {
    make: (options) => millrace.intervalJoin(NEVER, options),
    options: {
      name,
      by: need(sides, { left: text }),
      fromMs: duration(0, true),
      toMs: duration('1m', true),
      how: may('left', 'right'),
      with: need(() => null, late),
      state: may({ right: state }, { rigth: state }),
      onReject,
    },
  },
  keyed: {
    make: millrace.keyed,
    options: {
      name,
      by,
      initial: need(() => 0, 0),
      onValue: need(() => ({ keep: null }), late),
      onTimer: may(() => ({ keep: null }), late),
      maxKeys: may(1, '1'),
      state: saved,
      version: may(1, '1'),
      migrate: may(() => null, late),
      onReject,
    },
  },
  mapAsync: {
    make: (options) => millrace.mapAsync(late, options),
    options: { name: mayName, concurrency: need(1, '1'), onReject },
  },
  ohlcv: {
    make: millrace.ohlcv,
    options: { name: mayName, early: may({ everyMs: '1s' }, 5) },
  },
  rollup: { make: millrace.rollup, options: { name: mayName, provisionalEveryMs: duration('1s', false) } },
  realtime: {
    make: (options) => millrace.realtime(millrace.tradeCodec({ market: 'spot', timeUnit: 'ms' }), options),
    options: { provisionalEveryMs: duration('1s', false) },
  },
  sequence: {
    make: millrace.sequence,
    options: {
      name,
      by,
      steps: need({ a: () => true, b: () => true }, { a: () => true, b: late }),
      unless: may(() => false, late),
      withinMs: duration('1h', true),
      onMatch: need(() => null, late),
      onTimeout: may(() => null, late),
      of: time,
      state: saved,
      onReject,
    },
  },
  sessionWindow: {
    make: millrace.sessionWindow,
    options: {
      name,
      gapMs: duration('1m', true),
      by,
      of: time,
      maxMs: duration('1h', false),
      allowedLatenessMs: duration('0s', false),
      state: saved,
      onReject,
    },
  },
  toTable: {
    make: (options) => millrace.toTable(NEVER, options),
    options: {
      name,
      by,
      value: need(() => 1, late),
      maxKeys: need(1, '1'),
      ttlMs: duration('1h', false),
      state: saved,
      version: may(1, '1'),
      migrate: may(() => null, 1),
      onReject,
    },
  },
  topN: {
    make: millrace.topN,
    options: {
      name: mayName,
      n: need(1, '1'),
      of: need(() => 1, late),
      tie: need(text, 'id'),
      result: need(() => [], late),
      state: saved,
      provisionalEveryMs: duration('1s', false),
      onReject,
    },
  },
  tumblingWindow: {
    make: millrace.tumblingWindow,
    options: {
      name,
      sizeMs: duration('1m', true),
      by,
      of: time,
      allowedLatenessMs: duration('1s', false),
      isProvisional: may(() => false, late),
      onReject,
    },
  },
  stateful: {
    make: (spec) => millrace.stateful(spec, () => ({ onValue: () => undefined })),
    options: {
      name,
      version: may(1, '1'),
      shape: may(null, () => 1),
      migrate: may((kept: unknown) => kept, late),
      ownsTime: may(false, 1),
      isLoose: may(false, 1),
      isOrderFree: may(false, 1),
      meeting: may({ stage: undefined }, 1),
      isTable: may(false, 1),
      needsMerge: may(false, 1),
      passesRedriven: may(false, 1),
      concurrency: may(1, '1'),
      onReject,
    },
  },
  table: {
    make: (options) => millrace.table('lines', options),
    title: 'table lines',
    options: {
      columns: need({ line: 'text', id: 'text', revision: 'integer' }, ['line']),
      key: may(['id'], 'id'),
      revision: may('revision', 1),
      isShared: may(true, 'true'),
    },
  },
  toDestination: {
    make: (options) => millrace.toDestination(NEVER, options),
    options: { name, encode: need(() => null, late), open: need(() => null, late) },
  },
  toTopic: {
    make: (options) => millrace.toTopic(NEVER, options),
    options: {
      topic: need('orders', 7),
      at: need(() => 0, 'at'),
      headers: may(() => [], []),
      markers: may(false, 'yes'),
      encode: need(text, late),
      by: may(text, late),
    },
  },
  toWebhook: {
    make: (options) => millrace.toWebhook(NEVER, options),
    options: {
      url: need('https://example.org/', 7),
      body: may(() => null, late),
      headers: may({ a: 'b' }, 'a: b'),
      method: may('PUT', 'GET'),
      timeoutMs: duration('1s', false),
      maxBatch: may(1, '1'),
    },
  },
  topic: {
    make: (codecs) => millrace.topic('orders', codecs),
    options: { value: need(codec, {}), key: may(codec, {}) },
  },
  lookup: {
    make: millrace.lookup,
    options: {
      name,
      by,
      get: need(async () => 1, 'url'),
      with: need(() => 1, late),
      cache: may({ maxEntries: 5, ttlMs: '1m' }, { entries: 5 }),
      concurrency: need(1, '1'),
      perSecond: may(5, '5'),
      record: may(true, 'yes'),
      state: saved,
      onReject,
    },
  },
  upstreamTime: {
    make: millrace.upstreamTime,
    options: { of: need(() => 0, late), from: may(['web'], 'web'), maxUnmarked: may(5, '5'), name: mayName },
  },
  exchangeTopics: {
    make: millrace.exchangeTopics,
    options: { market: need('spot', 'margin'), timeUnit: may('ms', 's') },
  },
  aggTradeCodec: { make: millrace.aggTradeCodec, options: stream },
  bookTickerCodec: { make: millrace.bookTickerCodec, options: stream },
  depthCodec: { make: millrace.depthCodec, options: stream },
  klineCodec: { make: millrace.klineCodec, options: stream },
  miniTickerCodec: { make: millrace.miniTickerCodec, options: stream },
  partialDepthCodec: { make: millrace.partialDepthCodec, options: stream },
  streamTradeCodec: { make: millrace.streamTradeCodec, options: stream },
  tickerCodec: { make: millrace.tickerCodec, options: stream },
  coinbaseCodec: {
    make: millrace.coinbaseCodec,
    options: { market: may('simulated', 'spot'), symbols: may(['BTC-USD'], 7) },
  },
  tradeCodec: {
    make: millrace.tradeCodec,
    options: { market: need('spot', 'margin'), timeUnit: need('ms', 's'), symbols: may(['A'], 7) },
  },
  confluentRegistry: {
    make: millrace.confluentRegistry,
    options: {
      url: need('http://localhost:8081', 7),
      auth: may({ username: 'u', password: 'p' }, { username: 'u' }),
      timeoutMs: duration('1s', false),
    },
  },
  avroCodec: {
    make: avroExports.avroCodec,
    options: {
      registry: need(millrace.confluentRegistry({ url: 'http://localhost:8081' }), 'http://localhost:8081'),
      schema: may('"string"', 7),
      longs: may('bigint', 'text'),
      schemaId: may(1, '1'),
      zod: may(z.string(), {}),
    },
  },
  definePipeline: {
    make: millrace.definePipeline,
    options: {
      name: need('own', 7),
      inputs: may({ orders }, [orders]),
      build: need(() => ({}), late),
      idleAfterMs: duration('5s', false),
      onError: may('stop', 'ignore'),
      partitionGrowth: may('allow', 'yes'),
      retired: may(['a'], 'a'),
      renamed: may({ b: 'c' }, 'a'),
    },
  },
  'an input of definePipeline': {
    make: (input: InputOptions) =>
      millrace.definePipeline({ name: 'own', inputs: { orders: input }, build: () => ({}) }),
    title: 'pipeline own: input orders',
    options: {
      topic: need('orders', 7),
      codec: may(codec, {}),
      idleAfterMs: duration('5s', false),
      movesTime: may(true, 'yes'),
      maxAdvanceMs: duration('1d', false),
    },
  },
  defineFeed: {
    make: millrace.defineFeed,
    options: {
      name,
      topic: need(orders, 'orders'),
      isSimulated: may(true, 'yes'),
      key: may(text, late),
      time: may(() => 0, late),
      read: need(async function* () {}, []),
    },
  },
  runIngest: {
    make: millrace.runIngest,
    options: {
      feed: need({ open: late }, {}),
      writer: need({}, 'writer'),
      producer: need('p', 7),
      partitions: need(1, '1'),
      clock: may(millrace.systemClock, 'now'),
      signal: may(AbortSignal.abort(), true),
      batch: may({ maxRecords: 1 }, { maxRecords: '1' }),
      onProgress: may(() => undefined, 'log'),
    },
  },
  runPipeline: {
    make: (settings) => millrace.runPipeline({ name: 'own', build: () => ({}) }, settings),
    options: {},
  },
  rawArchive: {
    make: archiveExports.rawArchive,
    options: {
      store: need(new testingExports.MemoryObjectStore(), 's3://bucket'),
      maxRecords: may(1, '1'),
      maxBytes: may(1, '1'),
      maxPendingBytes: may(1, '1'),
      keyPrefix: may('', 7),
      maxUploads: may(1, '1'),
      compression: may('inline', 'none'),
      random: may(() => 0, 0),
    },
  },
  s3Store: {
    make: archiveExports.s3Store,
    options: {
      bucket: need('b', 7),
      prefix: may('p/', 7),
      region: may('us-east-1', 7),
      endpoint: may('http://localhost:1', 7),
      credentials: may({ accessKeyId: 'a', secretAccessKey: 'b' }, { accessKeyId: 'a' }),
      forcePathStyle: may(true, 'yes'),
      idleTimeoutMs: may(1, '1'),
      onWarning: may(() => undefined, 'log'),
    },
  },
  sweepOrphans: {
    make: archiveExports.sweepOrphans,
    options: {
      store: need(new testingExports.MemoryObjectStore(), 's3://bucket'),
      topic: need('t', 7),
      nextOffsets: need(new Map(), {}),
      manifestKeys: need(new Set(), []),
      spared: may(new Set(), []),
      keyPrefix: may('', 7),
      dryRun: may(true, 'yes'),
    },
  },
  testFeed: {
    make: (options) => {
      const feed = millrace.defineFeed({ name: 'f', topic: orders, read: async function* () {} })
      return testingExports.testFeed(feed, options)
    },
    options: { batches: may(1, '1'), partitions: may(1, '1') },
  },
  testPipeline: {
    make: (options) =>
      testingExports.testPipeline(
        millrace.definePipeline({
          name: 'own',
          build: (records) => ({ rows: millrace.toPostgres(records as Observable<never>, lines) }),
        }),
        options,
      ),
    options: {
      restoreEvery: may('record', 'never'),
      crashAt: may([1], 1),
      startMs: may(0, '0'),
      isPoisoned: may(false, 'no'),
    },
  },
}

/** Exported functions and classes that take no object of options, and why that is so. */
const others: Readonly<Record<string, string>> = {
  bytesCodec: 'nothing',
  textCodec: 'nothing',
  jsonCodec: 'a schema',
  orNull: 'a codec',
  wholeRecord: 'codecs',
  toArchive: 'a stream',
  toPostgres: 'a stream and a table',
  plainState: 'nothing',
  graphOf: 'a pipeline',
  durationMs: 'a duration',
  field: 'a name',
  addFixed8: 'numbers',
  divideHalfEven: 'numbers',
  formatFixed: 'numbers',
  parseFixed8: 'text',
  subFixed8: 'numbers',
  toFixed8: 'numbers',
  ProductSum: 'nothing',
  Batch: 'values',
  Hole: 'facts of a gap',
  OrderBook: 'nothing',
  Withdrawn: 'a row',
  withdrawn: 'a row',
  judgeQuality: 'a record and rules',
  qualityOf: 'a record and rules',
  Rejection: 'texts',
  RecordView: 'nothing',
  Worker: 'parts that the host puts together',
}

function thrownBy(act: () => unknown): Error {
  try {
    act()
  } catch (error) {
    return error as Error
  }
  throw new Error('nothing was thrown')
}

/** What a program gets; a function that is asynchronous says it by its promise. */
async function refusal(make: (options: never) => unknown, options: unknown): Promise<Error> {
  try {
    await make(options as never)
  } catch (error) {
    return error as Error
  }
  throw new Error(`nothing was thrown for ${JSON.stringify(options)}`)
}

function examples(options: Taker['options'], isWanted: (example: Example) => boolean): Options {
  return Object.fromEntries(
    Object.entries(options).flatMap(([option, example]) => (isWanted(example) ? [[option, example.value]] : [])),
  )
}

const titleOf = (taker: string, { title }: Taker) => title ?? taker
/** A letter is missing. */
const misspelled = (option: string) => `${option[0]}${option.slice(2)}`

it('every function that a program may call is told here with its options, or why it has none', () => {
  const isError = (value: unknown) => typeof value === 'function' && value.prototype instanceof Error
  const functions = Object.entries(millrace).filter(([, value]) => typeof value === 'function' && !isError(value))
  const told = [...Object.keys(takers), ...Object.keys(others)]
  expect(functions.map(([exported]) => exported).filter((exported) => !told.includes(exported))).toEqual([])
})

const withOptions = Object.entries(takers).filter(([, { options }]) => Object.keys(options).length > 0)

describe.each(withOptions)('%s', (taker, one) => {
  const { make, options } = one
  const title = titleOf(taker, one)
  const all = examples(options, () => true)
  const least = examples(options, ({ isNeeded }) => isNeeded)

  it('takes what it says it takes', () => {
    if (taker === 'runIngest') return
    expect(() => make(all as never)).not.toThrow()
    expect(() => make(least as never)).not.toThrow()
  })

  it('wants an object, and says what for', async () => {
    for (const wrong of [null, 'options', 7, [], EMPTY]) {
      const error = await refusal(make, wrong)
      expect(error, String(error)).toBeInstanceOf(millrace.ConfigurationError)
      expect(error.message).toContain(title)
    }
    if (Object.keys(least).length === 0) return
    const error = await refusal(make, undefined)
    expect(error).toBeInstanceOf(millrace.ConfigurationError)
  })

  it.each(Object.keys(least))('wants %s', async (option) => {
    const { [option]: _, ...rest } = all
    const error = await refusal(make, rest)
    expect(error, String(error)).toBeInstanceOf(millrace.ConfigurationError)
    expect(error.message).toContain(title)
    expect(error.message).toMatch(new RegExp(`\\b${option} (?:is missing|names no topic)|names no topic`))
  })

  it.each(Object.keys(all))('refuses a wrong %s', async (option) => {
    const error = await refusal(make, { ...all, [option]: options[option]?.wrong })
    expect(error, String(error)).toBeInstanceOf(millrace.ConfigurationError)
    expect(error.message).toContain(title)
    expect(error.message).toMatch(new RegExp(`\\b${option}\\b|names no topic|no option`))
  })

  it('knows what a misspelled option was meant to be', async () => {
    for (const option of Object.keys(all).filter(({ length }) => length > 3)) {
      const { [option]: value, ...rest } = all
      const error = await refusal(make, { ...rest, [misspelled(option)]: value })
      expect(error, String(error)).toBeInstanceOf(millrace.ConfigurationError)
      if (error.message.includes('names no topic')) continue
      expect(error.message).toContain(`there is no option ${misspelled(option)} (did you mean ${option}?)`)
    }
  })
})

describe('the logic of an operator of one’s own', () => {
  const built = (logic: unknown) => () => {
    const failures: unknown[] = []
    const own = millrace.stateful<number, number>({ name: 's' }, () => logic as never)
    of(1)
      .pipe(own)
      .subscribe({ error: (error) => failures.push(error) })
    if (failures.length > 0) throw failures[0]
  }
  it.each<[string, unknown]>([
    ["stateful 's': its logic must be an object with onValue, got undefined", undefined],
    ["stateful 's': its logic must be an object with onValue, got an object without onValue", { onvalue: text }],
    ["stateful 's': its logic.onValue must be a function that gives its result at once", { onValue: late }],
    ["stateful 's': its logic.snapshot must be a function that gives", { onValue: text, snapshot: late }],
    [
      "stateful 's': its logic: nobody calls onWaterMark (did you mean onWatermark?)",
      { onValue: text, onWaterMark: text },
    ],
  ])('%s', (said, logic) => {
    const error = thrownBy(built(logic))
    expect(error, String(error)).toBeInstanceOf(millrace.ConfigurationError)
    expect(error.message).toContain(said)
  })
})

describe('what stands before the options', () => {
  const joined = { name: 'j', by: sides, fromMs: 0, toMs: 1, with: () => null }
  it.each<[string, () => unknown]>([
    [
      'intervalJoin: its first argument, the other stream, must be an Observable, got an object with name, by',
      () => millrace.intervalJoin(joined as never, undefined as never),
    ],
    [
      'asOfJoin: its first argument, the other stream, must be an Observable',
      () => millrace.asOfJoin({ name: 'j' } as never, undefined as never),
    ],
    [
      'enrich: its first argument must be a table that toTable has made, got an Observable',
      () => millrace.enrich(EMPTY as never, { by: text, with: () => null }),
    ],
    [
      'mapAsync: its first argument must be a function',
      () => millrace.mapAsync({ concurrency: 1 } as never, {} as never),
    ],
    ['decode: its first argument must be a codec', () => millrace.decode(z.string() as never)],
    [
      'decode: its first argument.decode must be a function that gives its result at once',
      () => millrace.decode({ decode: late } as never),
    ],
    ['toTable: its first argument, the changes,', () => millrace.toTable({} as never, {} as never)],
    ['toPostgres: its first argument, the rows,', () => millrace.toPostgres(lines as never, EMPTY as never)],
    ['toPostgres: its second argument must be a table', () => millrace.toPostgres(EMPTY, 'lines' as never)],
    ['toArchive: its first argument, an input,', () => millrace.toArchive(orders as never)],
    ['toTopic: its first argument, the values,', () => millrace.toTopic({} as never, {} as never)],
    ['toWebhook: its first argument, the values,', () => millrace.toWebhook({} as never, {} as never)],
    ['toDestination: its first argument, the values,', () => millrace.toDestination({} as never, {} as never)],
    ['topic: its first argument, the name,', () => millrace.topic({} as never, { value: codec })],
    ['table: its first argument, the name,', () => millrace.table({} as never, { columns: {} })],
    ['jsonCodec: its first argument must be a schema of zod 4', () => millrace.jsonCodec({ id: 'string' } as never)],
    ['realtime: its first argument must be a codec', () => millrace.realtime(z.string() as never)],
    ['orNull: its first argument must be a codec', () => millrace.orNull(z.string() as never)],
    ['wholeRecord: its first argument, the codec of values,', () => millrace.wholeRecord(undefined as never)],
    ['wholeRecord: its second argument, the codec of keys,', () => millrace.wholeRecord(codec, 'text' as never)],
    [
      "stateful 's': its second argument, which makes the logic,",
      () => millrace.stateful({ name: 's' }, undefined as never),
    ],
    ['toTopic: by is missing', () => millrace.toTopic(EMPTY, { topic: orders, at: () => 0 } as never)],
    [
      "table t: column a: its type must be 'text', 'integer'",
      () => millrace.table('t', { columns: { a: 'varchar' as 'text' } }),
    ],
    ['table t: column a: from is missing', () => millrace.table('t', { columns: { a: { type: 'text' } as never } })],
  ])('%s', (said, make) => {
    const error = thrownBy(make)
    expect(error, String(error)).toBeInstanceOf(millrace.ConfigurationError)
    expect(error.message).toContain(said)
  })

  it('shows no secret', () => {
    const secret = 'hunter2'
    for (const wrong of [
      () => millrace.confluentRegistry({ url: 'http://r', auth: secret as never }),
      () => millrace.toWebhook(EMPTY, { url: 'http://r', headers: secret as never }),
      () => millrace.toWebhook(EMPTY, { url: 'http://r', headers: { authorization: secret }, metod: 'PUT' } as never),
    ])
      expect(thrownBy(wrong).message).not.toContain(secret)
  })
})
