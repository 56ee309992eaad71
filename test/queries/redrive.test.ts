import pg from 'pg'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { EmbeddedLog } from '../../src/embedded/log/embeddedLog.ts'
import {
  countDeadLetters,
  type DeadLetterKey,
  deadLettersAfter,
  formatKey,
  parseKey,
} from '../../src/queries/deadLetters.ts'
import { redrive } from '../../src/queries/redrive.ts'
import { RetryableError, TaskFencedError } from '../../src/runtime/errors.ts'
import type { LogWriter, OutgoingRecord } from '../../src/runtime/log/log.ts'
import { redriveHeader, redrivePipelineHeader } from '../../src/runtime/log/record.ts'
import type { DeadLetter } from '../../src/runtime/store/checkpoint.ts'
import { cutPart } from '../../src/runtime/store/keptBytes.ts'
import { deadLetterSteps } from '../../src/sinks/postgres/checkpointStatements.ts'
import { runStep } from '../../src/sinks/postgres/runSteps.ts'
import { recordAt } from '../../src/sources/recordAt.ts'
import { type TestDatabase, testDatabase } from '../support/postgres.ts'

let database: TestDatabase
let client: pg.Client

beforeAll(async () => {
  database = await testDatabase()
  client = new pg.Client({ ...database.connection, options: `-c search_path=${database.schema}` })
  await client.connect()
})

afterAll(async () => {
  await client.end()
  await database.close()
})

const all = { reason: null, operator: null, topic: 'trades', pipeline: null, isRedrivenIncluded: false }

/** For letters that have all of their records. */
const noLog = () => Promise.reject(new Error('nothing is to be read'))

/** A log that is nothing but a list, with a writer whose holder may crash right after its next append. */
class ListLog {
  readonly records: OutgoingRecord[] = []
  position: string | null = null
  generation = 0
  crashAfterAppend = false

  writer(): LogWriter {
    let mine = 0
    return {
      claim: async () => {
        this.generation += 1
        mine = this.generation
        return { position: this.position }
      },
      append: async (records, position) => {
        if (mine !== this.generation) throw new TaskFencedError('another writer has claimed')
        this.records.push(...records)
        this.position = position
        if (this.crashAfterAppend) throw new RetryableError('crashed after the append')
      },
      close: async () => {},
    }
  }

  values(): readonly string[] {
    return this.records.map((record) => Buffer.from(record.value ?? []).toString())
  }
}

async function addLetter(offset: number, payload: string | null, more: Partial<DeadLetter> = {}): Promise<void> {
  const letter: DeadLetter = {
    ...{ offset, ordinal: 0, operator: 'decode', reason: 'malformed', detail: 'broken', recordTime: 1_700_000_000_000 },
    ...{ key: Buffer.from('BTCUSDT'), headers: [], payload: payload === null ? null : Buffer.from(payload) },
    ...more,
  }
  for (const step of deadLetterSteps({ pipeline: 'realtime', topic: 'trades', partition: 2 }, [letter]))
    await runStep(client, step)
}

beforeEach(() => client.query('TRUNCATE dead_letter'))

describe('redrive', () => {
  test('appends each payload once, to its own partition, with its key and time', async () => {
    for (const offset of [3, 1, 2]) await addLetter(offset, `payload ${offset}`)
    const log = new ListLog()
    expect(await redrive(client, log.writer(), all, noLog)).toEqual({ redriven: 3, recovered: 0, skipped: [] })
    expect(log.values()).toEqual(['payload 1', 'payload 2', 'payload 3'])
    expect(log.records[0]).toMatchObject({ partition: 2, timestamp: 1_700_000_000_000, key: Buffer.from('BTCUSDT') })
    expect(await countDeadLetters(client, all)).toBe(0)
    expect(await redrive(client, log.writer(), all, noLog)).toEqual({ redriven: 0, recovered: 0, skipped: [] })
    expect(log.records).toHaveLength(3)
  })

  test('holds no more letters at once than so many bytes of them, but one however large it is', async () => {
    for (const [offset, size] of [900, 900, 900, 5_000, 10].entries()) await addLetter(offset, 'x'.repeat(size))
    const pages: number[][] = []
    for (let after: DeadLetterKey | null = null; ; ) {
      const page: readonly DeadLetterKey[] = await deadLettersAfter(client, all, after, 100, 1_500)
      if (page.length === 0) break
      pages.push(page.map(({ offset }) => offset))
      after = page.at(-1) as DeadLetterKey
    }
    expect(pages).toEqual([[0, 1], [2, 3], [4]])
    const log = new ListLog()
    expect(await redrive(client, log.writer(), all, noLog)).toMatchObject({ redriven: 5 })
  })

  test('a crash between append and stamp hides nothing, and the next redrive appends nothing twice', async () => {
    for (let offset = 0; offset < 5; offset += 1) await addLetter(offset, `payload ${offset}`)
    const log = new ListLog()
    log.crashAfterAppend = true
    await expect(redrive(client, log.writer(), all, noLog)).rejects.toThrow(RetryableError)
    expect(await countDeadLetters(client, all)).toBe(5)
    log.crashAfterAppend = false
    expect(await redrive(client, log.writer(), all, noLog)).toEqual({ redriven: 0, recovered: 5, skipped: [] })
    expect(log.records).toHaveLength(5)
    expect(await countDeadLetters(client, all)).toBe(0)
  })

  test('more letters than one append takes are all appended, in order', async () => {
    for (let offset = 0; offset < 450; offset += 1) await addLetter(offset, `${offset}`)
    const log = new ListLog()
    expect(await redrive(client, log.writer(), all, noLog)).toMatchObject({ redriven: 450 })
    expect(log.values()).toEqual(Array.from({ length: 450 }, (_, offset) => `${offset}`))
  })

  test('an older redrive appends nothing more once another has claimed', async () => {
    await addLetter(1, 'x')
    const log = new ListLog()
    const older = log.writer()
    const fenced: LogWriter = {
      ...older,
      claim: async (producer) => {
        const claimed = await older.claim(producer)
        await log.writer().claim(producer)
        return claimed
      },
    }
    await expect(redrive(client, fenced, all, noLog)).rejects.toThrow(TaskFencedError)
    expect(log.records).toHaveLength(0)
    expect(await countDeadLetters(client, all)).toBe(1)
  })

  test('filters choose, and a letter without a payload is left as it is', async () => {
    await addLetter(1, 'a', { reason: 'late' })
    await addLetter(2, 'b')
    await addLetter(3, null)
    const log = new ListLog()
    expect(await redrive(client, log.writer(), { ...all, reason: 'malformed' }, noLog)).toEqual({
      redriven: 1,
      recovered: 0,
      skipped: [{ id: 'realtime/trades/2/3/decode/0', why: 'it has no payload' }],
    })
    expect(log.values()).toEqual(['b'])
    const key = parseKey('realtime/trades/2/1/decode/0')
    expect(await redrive(client, log.writer(), [key], noLog)).toMatchObject({ redriven: 1 })
    expect(await redrive(client, log.writer(), [key], noLog)).toMatchObject({
      redriven: 0,
      skipped: [{ why: 'it was redriven already' }],
    })
    expect(log.values()).toEqual(['b', 'a'])
  })
})

describe('what is appended again', () => {
  const binary = Buffer.from([0xff, 0, 0x80, 0x5c])
  const redriven = async () => {
    const log = new ListLog()
    await redrive(client, log.writer(), all, noLog)
    return log.records
  }

  test('is the record, byte for byte, with a header that names the operator', async () => {
    const headers = [
      { key: 'trace \0', value: binary },
      { key: 'trace \0', value: null },
      { key: '', value: Buffer.alloc(0) },
    ]
    await addLetter(1, 'x', { key: binary, headers, payload: binary, operator: 'fenêtre' })
    const mark = { key: 'millrace-redrive', value: Buffer.from('fenêtre') }
    const owner = { key: 'millrace-redrive-pipeline', value: Buffer.from('realtime') }
    expect(await redriven()).toEqual([
      { partition: 2, timestamp: 1_700_000_000_000, key: binary, value: binary, headers: [...headers, mark, owner] },
    ])
  })

  test('has the key null where there was none, and empty where it was empty', async () => {
    await addLetter(1, 'x', { key: null })
    await addLetter(2, 'x', { key: new Uint8Array() })
    expect((await redriven()).map(({ key }) => key)).toEqual([null, Buffer.alloc(0)])
  })

  test('names the operator once, however often it comes back, and the last one', async () => {
    const other = { key: 'trace', value: binary }
    const older = { key: redriveHeader, value: Buffer.from('decode') }
    await addLetter(1, 'x', { headers: [older, other, older], operator: 'window' })
    const [record] = await redriven()
    expect(record?.headers).toEqual([
      other,
      { key: redriveHeader, value: Buffer.from('window') },
      { key: redrivePipelineHeader, value: Buffer.from('realtime') },
    ])
  })

  test('is cut into appends by its bytes, headers included', async () => {
    const headers = [{ key: 'large', value: Buffer.alloc(400 * 1024) }]
    for (let offset = 0; offset < 4; offset += 1) await addLetter(offset, 'x', { headers })
    const log = new ListLog()
    const writer = log.writer()
    const sizes: number[] = []
    const counting: LogWriter = {
      ...writer,
      append: async (records, position) => {
        sizes.push(records.length)
        await writer.append(records, position)
      },
    }
    await redrive(client, counting, all, noLog)
    expect(sizes).toEqual([2, 2])
  })
})

test('an id names its letter, also where the operator has a slash in its name', () => {
  const key = { pipeline: 'p', topic: 'a.b', partition: 1, offset: 7, operator: 'x/y', ordinal: 2 }
  expect(parseKey(formatKey(key))).toEqual(key)
})

describe('redrive of letters that keep the beginning of their records', () => {
  const topic = 'large'
  const key = Buffer.from([0, 255, 128, 0, 195])
  const value = Buffer.alloc(200_000, 0xfe)

  async function embedded(): Promise<EmbeddedLog> {
    return EmbeddedLog.open({ pool: database.pool, topic, partitions: 1 })
  }

  async function setAside(offset: number, bytes: Buffer): Promise<void> {
    const letter: DeadLetter = {
      ...{ offset, ordinal: 0, operator: 'decode', reason: 'malformed', detail: 'broken', recordTime: 1 },
      ...{ key, headers: [], payload: bytes.subarray(0, 100), cut: { payload: cutPart(bytes) } },
    }
    for (const step of deadLetterSteps({ pipeline: 'realtime', topic, partition: 0 }, [letter]))
      await runStep(client, step)
  }

  test('appends the record as it was, with its binary key, or says why it cannot', async () => {
    const log = await embedded()
    const writer = log.writer()
    await writer.claim('test')
    const record = { partition: 0, timestamp: 1, key, value }
    await writer.append([record, record, { ...record, value: Buffer.alloc(200_000, 1) }], '1')
    for (const offset of [0, 1, 2]) await setAside(offset, value)
    await log.trim(0, 1)
    const read = (partition: number, offset: number) => recordAt(log, partition, offset)
    const report = await redrive(client, log.writer(), { ...all, topic }, read)
    expect(report).toMatchObject({ redriven: 1, recovered: 0 })
    expect(report.skipped).toEqual([
      { id: 'realtime/large/0/0/decode/0', why: expect.stringContaining('the log no longer has large/0 at offset 0') },
      { id: 'realtime/large/0/2/decode/0', why: expect.stringContaining('another record at large/0, offset 2') },
    ])
    expect(await recordAt(log, 0, 3)).toMatchObject({ key, value })
    await log.close()
  })
})
