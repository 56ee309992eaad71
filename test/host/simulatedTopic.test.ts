import { execFile } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { gzipSync } from 'node:zlib'
import { expect, onTestFinished, test } from 'vitest'
import { textCodec } from '../../src/codecs/textCodec.ts'
import { topic } from '../../src/codecs/topic.ts'
import { requireFitTopic } from '../../src/host/simulatedTopic.ts'
import { systemClock } from '../../src/runtime/clock.ts'
import { ConfigurationError } from '../../src/runtime/errors.ts'
import { runIngest } from '../../src/sources/ingest/runIngest.ts'
import { marketFeed } from '../../src/sources/market/marketFeed.ts'
import { defineFeed } from '../../src/sources/ownFeed/defineFeed.ts'
import { simulatorFeed } from '../../src/sources/simulator/simulatorFeed.ts'
import { MemoryLog } from '../../src/testing/memoryLog.ts'
import { runCommand } from '../support/commandLine.ts'

const main = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url))

test('a feed that invents its records is kept out of every topic but those of invented ones', () => {
  const invented = marketFeed(simulatorFeed({ symbols: ['BTCUSDT'] }))
  expect(() => requireFitTopic(invented, 'crypto.trades.raw')).toThrow(ConfigurationError)
  expect(() => requireFitTopic(invented, 'crypto.trades.simulated.raw')).not.toThrow()
  const { isSimulated: _isSimulated, ...real } = invented
  expect(() => requireFitTopic(real, 'crypto.trades.raw')).not.toThrow()
})

test('the simulator never fills the topic of the exchange, in whichever log', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-simulated-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  const place = { cwd: folder, env: { MILLRACE_DATA_DIR: folder } }
  for (const command of [['run', 'realtime'], ['ingest']]) {
    for (const env of [{}, { KAFKA_BROKERS: '127.0.0.1:1' }]) {
      const ended = await runCommand([...command, '--source', 'simulator', '--topic', 'crypto.trades.raw'], {
        ...place,
        env: { ...place.env, ...env },
      })
      expect(ended).toMatchObject({ code: 2 })
      expect(ended.stderr).toContain('invented prices only go into a topic with "simulated" in its name')
    }
  }
})

test('lines of a tape of invented prices are brought into no other topic, from a file or from standard input', {
  timeout: 60_000,
}, async () => {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-marked-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  const frame = '{"stream":"btcusdt@trade","data":{"e":"trade","s":"BTCUSDT","t":1,"p":"1","q":"1","T":1723075525863}}'
  const mark = '{ "tape": "SIMULATED PRICES: invented" }'
  const place = { cwd: folder, env: { MILLRACE_DATA_DIR: folder } }
  const bring = (file: string, topic: string, ...more: readonly string[]) =>
    runCommand(['ingest', file, '--topic', topic, ...more], place)
  writeFileSync(join(folder, 'marked.jsonl'), `${mark}\n${frame}\n`)
  writeFileSync(join(folder, 'marked.jsonl.gz'), gzipSync(`${mark}\n${frame}\n`))
  const long = `${frame}\n`.repeat(1_000)
  writeFileSync(join(folder, 'joined.jsonl'), `${long}${mark}\n${frame}\n`)
  for (const file of ['marked.jsonl', 'marked.jsonl.gz']) {
    for (const more of [[], ['--on-bad-line', 'skip'], ['--key', 'data.s', '--time', 'data.T']]) {
      expect(await bring(file, 'crypto.trades.raw', ...more)).toMatchObject({
        code: 2,
        stderr: expect.stringContaining('with "simulated" in its name'),
      })
    }
  }
  expect(existsSync(join(folder, 'postgres'))).toBe(false)
  const joined = await bring('joined.jsonl', 'crypto.trades.raw', '--on-bad-line', 'skip')
  expect(joined).toMatchObject({ code: 2, stderr: expect.stringContaining('joined.jsonl:1001 says that prices') })
  const piped = `"${process.execPath}" "${main}" ingest - --topic other`
  const ended = promisify(execFile)('sh', ['-c', `cat marked.jsonl | ${piped}`], {
    cwd: folder,
    env: { ...process.env, MILLRACE_DATA_DIR: folder },
  })
  await expect(ended).rejects.toMatchObject({
    code: 2,
    stderr: expect.stringContaining('says that prices are invented'),
  })
  expect(await bring('marked.jsonl', 'my.simulated')).toMatchObject({
    code: 0,
    stdout: expect.stringContaining('1 records appended'),
  })
})

test('a feed of its own that yields such a line has to say what it is', async () => {
  const lines = topic('lines', { value: textCodec() })
  const read = async function* () {
    yield { values: ['{"tape":"SIMULATED PRICES"}', '{}'], position: '1' }
  }
  const log = new MemoryLog({ topic: 'lines', partitions: 1, clock: systemClock })
  const bring = (isSimulated: boolean) =>
    runIngest({
      feed: defineFeed({ name: 'f', topic: lines, isSimulated, read }),
      writer: log.writer(),
      producer: `f${isSimulated}`,
      partitions: 1,
    })
  await expect(bring(false)).rejects.toThrow(/says isSimulated: true/)
  expect(await bring(true)).toMatchObject({ records: 2 })
})
