import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { isPidRunning } from '../../src/embedded/processIdentity.ts'
import { runCommand } from '../support/commandLine.ts'
import { emptyDatabases } from '../support/emptyDatabases.ts'
import { hasKafka, kafkaTitle, type SharedBroker, sharedBroker, uniqueName } from '../support/kafkaBroker.ts'
import { KafkaTopic } from '../support/kafkaTopic.ts'
import { differencesFromKlines, hasTapes, tapeFile, tapes } from '../support/klines.ts'
import { startedCommands } from '../support/startedCommands.ts'

if (!hasKafka) console.warn('SKIPPED: the command line on Kafka: there is no broker')
if (!hasTapes) console.warn("SKIPPED: ../shared/data is not here, so candles are not compared with the exchange's own")

const databases = await emptyDatabases()

interface StatusJson {
  readonly running: { readonly pid: number } | null
  readonly others: readonly { readonly pid: number }[]
  readonly dataSets: readonly {
    readonly name: string
    readonly tasks: readonly {
      readonly partition: number
      readonly owner: string
      readonly generation: number
      readonly nextOffset: number | null
      readonly lagRecords: number | null
      readonly watermark: string | null
    }[]
  }[]
  readonly kafka: {
    readonly problem: string | null
    readonly topics: readonly {
      readonly topic: string
      readonly group: { readonly state: string; readonly members: readonly { member: string; partitions: number[] }[] }
    }[]
  }
}

describe.skipIf(!hasKafka)(kafkaTitle('the command line on Kafka'), { timeout: 120_000 }, () => {
  let broker: SharedBroker
  let folder: string
  beforeAll(async () => {
    broker = await sharedBroker()
    folder = mkdtempSync(join(tmpdir(), 'millrace-kafka-'))
  }, 120_000)
  afterAll(async () => {
    await broker.close()
    rmSync(folder, { recursive: true, force: true })
  })

  const placeOf = (dataDir: string, env: Readonly<Record<string, string>> = {}) => ({
    cwd: folder,
    databases,
    env: { KAFKA_BROKERS: broker.brokers.join(','), MILLRACE_DATA_DIR: join(folder, dataDir), ...env },
  })
  type Place = ReturnType<typeof placeOf>

  const start = startedCommands()

  async function succeeded(args: readonly string[], place: Place) {
    const ended = await runCommand(args, place)
    expect(ended, ended.stdout + ended.stderr).toMatchObject({ code: 0 })
    return ended
  }
  const statusOf = async (place: Place) =>
    JSON.parse((await runCommand(['status', '--json'], place)).stdout) as StatusJson

  describe.each(['wire', 'kafkajs'] as const)('by %s', (client) => {
    test.skipIf(!hasTapes).each(tapes)(
      "a tape of $market becomes the exchange's own candles, on every fully covered minute",
      async (tape) => {
        const place = placeOf(client, { KAFKA_CLIENT: client })
        const topic = uniqueName('crypto.trades.tape')
        const run = ['run', 'realtime', '--tape', tapeFile(tape.folder), '--market', tape.market, '--topic', topic]
        const ended = await succeeded([...run, '--until-end', '--close-open'], place)
        expect(ended.stdout).toContain('All of the tape is committed: ')
        expect(await differencesFromKlines(place, tape)).toEqual({ compared: tape.minutes, differences: [] })
      },
    )
  })

  test.skipIf(!hasTapes)(
    'what ingest brings in, a worker elsewhere turns into candles; again neither does anything',
    async () => {
      const [tape] = tapes
      const place = placeOf('apart')
      const topic = uniqueName('crypto.trades.apart')
      const ingest = ['ingest', '--tape', tapeFile(tape.folder), '--topic', topic, '--until-end']
      const work = ['run', 'realtime', '--source', 'none', '--topic', topic, '--until-end', '--close-open']
      const first = await succeeded(ingest, placeOf('ingest'))
      expect(first.stdout).toMatch(/All of the tape is in \S+: [1-9][\d,]+ records appended/)
      expect((await succeeded(work, place)).stdout).toContain('All of the topic is committed: ')
      expect(await differencesFromKlines(place, tape)).toEqual({ compared: tape.minutes, differences: [] })
      expect((await succeeded(ingest, placeOf('ingest'))).stdout).toMatch(/: 0 records appended/)
      expect((await succeeded(work, place)).stdout).toContain('All of the topic is committed: 0 records')
      const { dataSets, kafka } = await statusOf(place)
      expect(dataSets[0]?.tasks.map(({ lagRecords }) => lagRecords)).toEqual([0, 0, 0, 0])
      expect(kafka).toMatchObject({ problem: null, topics: [{ topic, group: { members: [] } }] })
    },
  )

  test('a dead letter goes back to the topic that it came from, once', async () => {
    const place = placeOf('letters')
    const topic = uniqueName('crypto.trades.letters')
    const tape = join(folder, 'broken.jsonl')
    const time = Date.UTC(2024, 7, 8)
    const trade = {
      e: 'trade',
      E: time,
      s: 'AAAUSDT',
      t: 1,
      p: '1.50000000',
      q: '2.00000000',
      T: time,
      m: true,
      M: true,
    }
    writeFileSync(
      tape,
      `${JSON.stringify({ stream: 'aaausdt@trade', data: trade })}\n{"stream":"aaausdt@trade","data":{\n`,
    )
    await succeeded(['run', 'realtime', '--tape', tape, '--topic', topic, '--until-end'], place)
    const without = { ...place, env: { ...place.env, KAFKA_BROKERS: '' } }
    expect(await runCommand(['dead-letters', 'redrive', '--all'], without)).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('set KAFKA_BROKERS'),
    })
    expect((await succeeded(['dead-letters', 'redrive', '--all'], place)).stdout).toContain('1 appended again')
    expect((await succeeded(['dead-letters', 'redrive', '--all'], place)).stdout).toContain(': 0 appended again')
    const again = ['run', 'realtime', '--source', 'none', '--topic', topic, '--until-end']
    expect((await succeeded(again, place)).stdout).toContain('1 records, 1 dead letters')
  })

  test('workers are processes: a killed one comes back to its partitions, and one stop ends all', async () => {
    const place = placeOf('workers', { MILLRACE_WORKER_ID: 'here', MILLRACE_SIMULATOR_RATE: '200' })
    const topic = uniqueName('simulated')
    const symbols = Array.from({ length: 16 }, (_, index) => `S${index}USDT`).join(',')
    const source = ['--source', 'simulator', '--symbols', symbols, '--topic', topic]
    const run = start(['run', 'realtime', ...source, '--workers', '2'], place)
    await run.seen(/First candle after/)
    const settled = async () => {
      const status = await statusOf(place)
      const group = status.kafka.topics[0]?.group
      const isShared = group?.state === 'Stable' && group.members.every(({ partitions }) => partitions.length === 2)
      const tasks = status.dataSets.find(({ name }) => name === 'simulated')?.tasks ?? []
      return isShared && group.members.length === 2 && new Set(tasks.map(({ owner }) => owner)).size === 2
        ? tasks
        : null
    }
    await expect.poll(settled, { timeout: 30_000, interval: 500 }).not.toBe(null)
    const before = (await settled())!
    const pids = [...new Set(before.map(({ owner }) => Number(owner.split(':')[1])))]
    const killed = pids[0]!
    process.kill(killed, 'SIGKILL')
    await run.seen(new RegExp(`Worker here-[12] \\(process ${killed}\\) was ended by SIGKILL; it is started again`))
    const lost = before.filter(({ owner }) => owner.endsWith(`:${killed}`))
    const isTaken = async () => {
      const after = (await statusOf(place)).dataSets.find(({ name }) => name === 'simulated')?.tasks ?? []
      const now = lost.map(({ partition }) => after.find((task) => task.partition === partition))
      const isClaimed = now.every((task, index) => task !== undefined && task.generation > lost[index]!.generation)
      const offsets = (tasks: readonly ({ nextOffset: number | null } | undefined)[]) =>
        tasks.reduce((sum, task) => sum + (task?.nextOffset ?? 0), 0)
      return isClaimed && offsets(now) > offsets(lost)
    }
    await expect.poll(isTaken, { timeout: 30_000, interval: 500 }).toBe(true)
    const owners = (await settled())?.map(({ owner }) => Number(owner.split(':')[1])) ?? []
    const status = await statusOf(place)
    expect(status.kafka.topics[0]?.group.members.map(({ member }) => member).sort()).toEqual(['here-1', 'here-2'])
    expect(await runCommand(['health'], place)).toMatchObject({ code: 0 })
    run.process.kill('SIGTERM')
    const ended = await run.ended
    expect(ended, ended.stdout + ended.stderr).toMatchObject({ code: 0 })
    expect(ended.stdout).toContain('Stopped cleanly')
    for (const pid of [...pids, ...owners]) expect(isPidRunning(pid), String(pid)).toBe(false)
  })

  test('workers end by themselves when what started them is killed', async () => {
    const place = placeOf('orphans')
    const topic = uniqueName('simulated')
    const run = start(['run', 'realtime', '--source', 'simulator', '--topic', topic, '--workers', '2'], place)
    await run.seen(/First candle after/)
    const children = childrenOf(run.process.pid!)
    expect(children.length).toBeGreaterThanOrEqual(2)
    const workers = children.filter((pid) => commandOf(pid).includes('workerMain'))
    expect(workers).toHaveLength(2)
    run.process.kill('SIGKILL')
    await run.ended
    await expect.poll(() => workers.filter((pid) => isPidRunning(pid)), { timeout: 30_000 }).toEqual([])
    // Whoever was killed left the database to the next who uses it.
    expect(await runCommand(['migrate'], place)).toMatchObject({ code: 0 })
  })

  test('a topic that keeps less than an object of the archive spans is refused, with both numbers', async () => {
    const topic = uniqueName('crypto.trades.short')
    await succeeded(['topics', 'create', topic], placeOf('short', { KAFKA_RETENTION_HOURS: '1' }))
    const ended = await runCommand(['run', 'realtime', '--source', 'none', '--topic', topic], placeOf('short'))
    expect(ended, ended.stdout).toMatchObject({ code: 2, stderr: expect.stringContaining('retention.ms=3600000') })
    const tape = await runCommand(['ingest', '--tape', import.meta.filename, '--topic', topic], placeOf('short'))
    expect(tape).toMatchObject({ code: 2, stderr: expect.stringContaining('retention.ms=-1') })
  })

  test.each(['wire', 'kafkajs'])(
    'by %s a worker ends when its topic gets more partitions, and no other one starts, with both numbers',
    async (client) => {
      const topic = uniqueName('simulated')
      const place = placeOf(`grown-${client}`, { KAFKA_CLIENT: client })
      const run = start(['run', 'realtime', '--source', 'simulator', '--topic', topic], place)
      await run.seen(/First candle after/)
      const grower = await KafkaTopic.attach(broker.brokers, topic)
      await grower.growTo(6)
      await grower.close()
      const refused = {
        code: 2,
        stderr: expect.stringMatching(/error: .*pipeline realtime .* with 4 partitions, and now it has 6/),
      }
      expect(await run.ended).toMatchObject(refused)
      const work = ['run', 'realtime', '--source', 'none', '--market', 'simulated', '--topic', topic]
      expect(await runCommand(work, place)).toMatchObject(refused)
      expect(await runCommand([...work, '--workers', '2'], place)).toMatchObject(refused)
    },
  )

  test('offsets of the embedded log are never applied to a topic of the same name in Kafka', async () => {
    const topic = uniqueName('simulated')
    const place = placeOf('kind')
    const run = ['run', 'realtime', '--source', 'simulator', '--topic', topic]
    const embedded = start(run, { ...place, env: { ...place.env, KAFKA_BROKERS: '' } })
    await embedded.seen(/First candle after/)
    embedded.process.kill('SIGTERM')
    expect(await embedded.ended).toMatchObject({ code: 0 })
    const onKafka = await runCommand(run, place)
    expect(onKafka).toMatchObject({ code: 2, stderr: expect.stringContaining('was processed from the embedded log') })
  })
})

function childrenOf(pid: number): readonly number[] {
  return readdirSync('/proc')
    .map(Number)
    .filter((one) => Number.isInteger(one) && parentOf(one) === pid)
}

function parentOf(pid: number): number | null {
  try {
    return Number(/^PPid:\t(\d+)$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1])
  } catch {
    return null
  }
}

function commandOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8')
  } catch {
    return ''
  }
}
