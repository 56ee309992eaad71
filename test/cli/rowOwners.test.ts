import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { type CommandPlace, runCommand } from '../support/commandLine.ts'
import { emptyDatabases } from '../support/emptyDatabases.ts'
import { hasKafka, kafkaTitle, type SharedBroker, sharedBroker, uniqueName } from '../support/kafkaBroker.ts'
import { KafkaTopic } from '../support/kafkaTopic.ts'
import { candlesOf } from '../support/klines.ts'

if (!hasKafka) console.warn('SKIPPED: a symbol in two partitions of Kafka: there is no broker')

const folder = mkdtempSync(join(tmpdir(), 'millrace-owners-'))
const databases = await emptyDatabases()
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const minute = Date.UTC(2024, 7, 8, 12)

/** One trade a second. */
function frames(symbol: string, from: number, until: number): string[] {
  return Array.from({ length: until - from }, (_, i) => {
    const time = minute + (from + i) * 1000
    const data = { e: 'trade', E: time + 5, s: symbol, t: from + i, p: '1.5', q: '1', T: time, m: true, M: true }
    return JSON.stringify({ stream: `${symbol.toLowerCase()}@trade`, data })
  })
}

function tape(name: string, lines: readonly string[]): string {
  const path = join(folder, name)
  writeFileSync(path, `${lines.join('\n')}\n`)
  return path
}

function placeOf(name: string, env: Readonly<Record<string, string>> = {}): CommandPlace {
  const cwd = join(folder, name)
  mkdirSync(cwd, { recursive: true })
  return { cwd, env, databases }
}

async function succeeded(args: readonly string[], place: CommandPlace) {
  const ended = await runCommand(args, place)
  expect(ended, ended.stdout + ended.stderr).toMatchObject({ code: 0 })
  return ended
}

interface Letter {
  readonly operator: string
  readonly reason: string
  readonly detail: string
  readonly payload: string | null
}

async function lettersOf(place: CommandPlace): Promise<readonly Letter[]> {
  const { stdout } = await succeeded(['dead-letters', 'list', '--json', '--limit', '10000'], place)
  return JSON.parse(stdout) as readonly Letter[]
}

const countsOf = async (place: CommandPlace, ...more: string[]) =>
  (await candlesOf(place, 'AAAUSDT', ...more)).map((candle) => Number(candle.trade_count))

/** How many trades the letters of 1m candles stand for. */
const heldBy = (letters: readonly Letter[]) =>
  letters
    .filter(({ operator }) => operator === '1m' || operator === 'ohlcv-1m')
    .reduce(
      (sum, { operator, detail }) => sum + (operator === '1m' ? 1 : Number(/"tradeCount":(\d+)/.exec(detail)?.[1])),
      0,
    )

describe('a tape that is cut inside a minute', { timeout: 120_000 }, () => {
  const first = tape('first.jsonl', frames('AAAUSDT', 0, 75))
  const second = tape('second.jsonl', frames('AAAUSDT', 75, 150))
  const third = tape('third.jsonl', frames('AAAUSDT', 150, 200))

  test('and read as one has whole minutes, also when a part is named later', async () => {
    const place = placeOf('continued')
    await succeeded(['run', 'realtime', '--tape', first, '--until-end'], place)
    await succeeded(['run', 'realtime', '--tape', first, '--tape', second, '--until-end'], place)
    const all = ['run', 'realtime', '--tape', first, second, third, '--until-end', '--close-open']
    await succeeded(all, place)
    expect(await countsOf(place)).toEqual([60, 60, 60, 20])
    expect(await countsOf(place, '--interval', '1d')).toEqual([200])
    expect(await lettersOf(place)).toEqual([])
    const less = await runCommand(['run', 'realtime', '--tape', first, '--until-end'], place)
    expect(less).toMatchObject({ code: 2, stderr: expect.stringContaining('name all tapes that were read') })
  })

  test('and read as two keeps what the first made; the trades of the second are letters that name both', async () => {
    const place = placeOf('apart')
    await succeeded(['run', 'realtime', '--tape', first, '--until-end', '--close-open'], place)
    expect(await countsOf(place)).toEqual([60, 15])
    const told = await succeeded(['run', 'realtime', '--tape', second, '--until-end', '--close-open'], place)
    expect(told.stdout).toMatch(
      /fact_realtime_trades_\w+.*may hold rows from crypto\.trades\.tape\.\w+ too.*--tape FIRST --tape SECOND/,
    )
    expect(await countsOf(place)).toEqual([60, 15, 30])
    const letters = await lettersOf(place)
    expect(letters.filter(({ operator }) => operator === '1m')).toHaveLength(45)
    expect(heldBy(letters)).toBe(45)
    expect(letters.find(({ operator }) => operator === '1m')).toMatchObject({
      reason: 'key-elsewhere',
      detail: expect.stringMatching(
        /symbol AAAUSDT.*open_time 2024-08-08T12:01.*belongs to realtime crypto\.trades\.tape\.\w+\/\d; this came by realtime crypto\.trades\.tape\.\w+\/\d/,
      ),
      payload: expect.stringContaining('AAAUSDT'),
    })
    // The longer candles are the first tape's too, and say so of the minute of the second.
    expect(await countsOf(place, '--interval', '1d')).toEqual([75])
    expect(letters.map(({ operator }) => operator)).toContain('5m')
  })
})

describe.skipIf(!hasKafka)(kafkaTitle('a symbol in two partitions'), { timeout: 180_000 }, () => {
  test('has rows and letters that together are all its trades; run again the same; re-keyed and handed over, whole minutes', async () => {
    const broker: SharedBroker = await sharedBroker()
    const topics: KafkaTopic[] = []
    try {
      const place = placeOf('kafka', { KAFKA_BROKERS: broker.brokers.join(',') })
      const mixed = await topicOf(broker, topics, (_, i) => i % 2)
      const run = (topic: KafkaTopic) =>
        succeeded(['run', 'realtime', '--source', 'none', '--topic', topic.name, '--until-end', '--close-open'], place)
      await run(mixed)
      const before = await countsOf(place)
      const letters = await lettersOf(place)
      expect(before).toHaveLength(3)
      expect(before.reduce((sum, count) => sum + count, heldBy(letters))).toBe(150)
      expect(before).not.toEqual([60, 60, 30])
      for (const { reason, detail } of letters) {
        expect(reason).toBe('key-elsewhere')
        expect(detail).toContain(`realtime ${mixed.name}/0`)
        expect(detail).toContain(`realtime ${mixed.name}/1`)
      }
      await succeeded(['state', 'drop', '--pipeline', 'realtime', '--yes'], place)
      await run(mixed)
      const again = await countsOf(place)
      expect(again.reduce((sum, count) => sum + count, 0)).toBeGreaterThanOrEqual(
        before.reduce((sum, count) => sum + count, 0),
      )

      const keyed = await topicOf(broker, topics, () => 1)
      const asked = await succeeded(['state', 'own', '--of', `realtime/${mixed.name}`, '--to', 'nobody'], place)
      expect(asked.stdout).toMatch(
        /fact_realtime_trades_1m: \d rows? of realtime \S+\/[01] to tasks that begin after this/,
      )
      expect(asked.stderr).toContain('Nothing was changed; --yes hands them over.')
      await succeeded(['state', 'own', '--of', `realtime/${mixed.name}`, '--to', 'nobody', '--yes'], place)
      await run(keyed)
      expect(await countsOf(place)).toEqual([60, 60, 30])
      expect(await countsOf(place, '--interval', '1d')).toEqual([150])
    } finally {
      for (const topic of topics) await topic.close()
      await broker.close()
    }
  })

  async function topicOf(broker: SharedBroker, topics: KafkaTopic[], partitionOf: (line: string, i: number) => number) {
    const topic = await KafkaTopic.create(broker.brokers, { name: uniqueName('crypto.trades.keys'), partitions: 2 })
    topics.push(topic)
    const writer = topic.writer()
    await writer.claim('test')
    const records = frames('AAAUSDT', 0, 150).map((line, i) => ({
      partition: partitionOf(line, i),
      timestamp: minute + i * 1000,
      key: null,
      value: Buffer.from(line),
    }))
    await writer.append(records, '')
    return topic
  }
})
