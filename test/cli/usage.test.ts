import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import type { Output } from '../../src/cli/output.ts'
import { runProgram } from '../../src/cli/program.ts'
import { commandNames } from '../../src/cli/settingTypes.ts'
import { runCommand } from '../support/commandLine.ts'

const folder = mkdtempSync(join(tmpdir(), 'millrace-usage-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

async function millrace(args: readonly string[], env: Readonly<Record<string, string>> = {}) {
  let out = ''
  const lines: string[] = []
  const output: Output = {
    out: async (text) => {
      out += text
      return true
    },
    onClosed: () => {},
    err: (line) => lines.push(line),
  }
  const envFile = join(folder, '.env')
  const code = await runProgram(args, { output, env, envFile, isTerminal: false })
  return { code, out, err: lines.join('\n'), lines }
}

describe('wrong usage', () => {
  test.each([
    ['candel', "error: unknown command 'candel' (Did you mean candles?)"],
    [
      'frobnicate',
      `error: unknown command 'frobnicate'; allowed: ${[...new Set(commandNames.map((name) => name.split(' ')[0]))].join(', ')}`,
    ],
    ['run', "error: missing required argument 'file'"],
    ['run batc', `error: batc: there is no such file; looked for ${resolve('batc')} (did you mean batch?).`],
    [
      'run realtim',
      `error: realtim: there is no such file; looked for ${resolve('realtim')} (did you mean realtime?).`,
    ],
    ['run x.ts --close-open', 'error: --close-open is only allowed together with --until-end.'],
    ['run x.ts --workers 2', 'error: --workers 2 needs Kafka to share the partitions: set KAFKA_BROKERS.'],
    ...['pg_mine', 'information_schema', 'my-own'].map((schema): [string, string] => [
      `run x.ts --schema ${schema}`,
      `error: --schema: "${schema}" is not allowed; allowed: letters, digits and _, at most 63, beginning with a letter or _; not pg_… or information_schema, which PostgreSQL keeps for itself.`,
    ]),
    ['run realtime --symbls BTCUSDT', "error: unknown option '--symbls' (Did you mean --symbols?)"],
    [
      'run realtime --source kraken',
      'error: --source: "kraken" is not allowed; allowed: binance, coinbase, simulator, tape or none.',
    ],
    ['run realtime --source tape', 'error: --source tape needs a file: name one with --tape FILE.'],
    [
      'run realtime --source simulator --until-end',
      'error: --until-end needs a source that ends: name one with --tape FILE.',
    ],
    ['run realtime --tape x --close-open', 'error: --close-open is only allowed together with --until-end.'],
    [
      'run realtime --source simulator --workers 2',
      'error: --workers 2 needs Kafka to share the partitions: set KAFKA_BROKERS.',
    ],
    [
      'run realtime --source binance --market simulated',
      'error: --market simulated with --source binance is for an exchange that invents its prices, such as `npx millrace exchange`: name it with MILLRACE_BINANCE_WS_URL and MILLRACE_BINANCE_REST_URL.',
    ],
    ['ingest --source none', 'error: ingest needs something to take in: --source none is only for run realtime.'],
    ['ingest readings.jsonl', 'error: ingest readings.jsonl needs a topic: name one with --topic NAME.'],
    ['ingest --key sensor', 'error: --key is for JSON lines: name a file, or - for standard input.'],
    ['ingest x.jsonl --topic x --symbols BTCUSDT', 'error: --symbols is for trades, not for x.jsonl: leave it out.'],
    [
      'ingest x.jsonl --topic x --time-unit s',
      'error: --time-unit is the unit of --time: name the field with --time FIELD.',
    ],
    [
      'ingest x.jsonl --topic x --on-bad-line ignore',
      'error: --on-bad-line: "ignore" is not allowed; allowed: stop or skip.',
    ],
    ['ingest x.jsonl --feed ./x.ts', 'error: ingest takes either a file of JSON lines (x.jsonl) or --feed ./x.ts.'],
    [
      'ingest --feed ./x.ts --time at',
      'error: --time is for JSON lines; a feed of your own says so itself (key and time of defineFeed).',
    ],
    [
      'ingest --source simulator --time-unit s --topic x',
      'error: --time-unit s is for JSON lines; frames of trades tell ms or us.',
    ],
    ['run realtime --tape', "error: option '--tape <file...>' argument missing"],
    ['candles', 'error: --symbol is missing; name one, such as --symbol BTCUSDT.'],
    [
      'candles --symbol BTCUSDT --interval 2m',
      'error: --interval: "2m" is not allowed; allowed: 1m, 5m, 15m, 1h, 4h, 1d.',
    ],
    ['status now', "error: too many arguments for 'status'. Expected 0 arguments but got 1: now."],
    [
      'verify --from 2026-01-01',
      'error: verify needs --from TIME and --to TIME: which range of the archive is to be read again.',
    ],
    [
      'verify ./paid.ts --from 2026-01-01',
      'error: verify of a pipeline takes --from TIME and --to TIME, or none of them and compares all.',
    ],
    ['graph', "error: missing required argument 'file'"],
    ['graph realtime --json --mermaid', 'error: --json and --mermaid are two ways to print it: choose one.'],
    ['dead-letters show', "error: missing required argument 'id'"],
    ['outbox retry', 'error: which messages? Name ids, or --all.'],
    ['outbox retry --all p/t/0/o/1', 'error: name ids or --all, not both.'],
    [
      'outbox retry p/t/0/1',
      'error: "p/t/0/1" is not the id of a message; allowed: pipeline/topic/partition/outlet/number as `outbox list` prints it.',
    ],
    ['dead-letters redrive', 'error: which dead letters? Name ids, a filter such as --reason, or --all.'],
  ])('`%s` ends with exit code 2 and one line', async (text, message) => {
    const { code, out, lines } = await millrace(text.split(' '))
    expect(lines).toEqual([message])
    expect(code).toBe(2)
    expect(out).toBe('')
  })

  test('candles from after to', async () => {
    const args = ['candles', '--symbol', 'BTCUSDT', '--from', '2024-08-09', '--to', '2024-08-08']
    expect(await millrace(args)).toMatchObject({ code: 2, err: expect.stringContaining('is after --to') })
  })

  test('a wrong variable is named, wherever it stands', async () => {
    const wrong = await millrace(['run', 'realtime'], { MILLRACE_PARTITIONS: 'four' })
    expect(wrong).toMatchObject({ code: 2, err: expect.stringContaining('MILLRACE_PARTITIONS: "four" is not allowed') })
    writeFileSync(join(folder, '.env'), 'MILLRACE_MARKET=margin\n')
    const inFile = await millrace(['run', 'realtime'])
    expect(inFile).toMatchObject({ code: 2, err: expect.stringContaining('MILLRACE_MARKET in .env: "margin"') })
    rmSync(join(folder, '.env'))
  })

  test('an unknown MILLRACE_ variable is a warning and no more', async () => {
    const { code, lines } = await millrace(['status', '--data-dir', join(folder, 'none')], { MILLRACE_SIMBOLS: 'x' })
    expect(lines).toEqual([
      'warning: MILLRACE_SIMBOLS is not a setting and is ignored (did you mean MILLRACE_SYMBOLS?).',
    ])
    expect(code).toBe(0)
  })
})

describe('help', () => {
  test('every command has its own, with examples', async () => {
    for (const name of commandNames) {
      const { code, out } = await millrace([...name.split(' '), '--help'])
      expect(code, name).toBe(0)
      expect(out, name).toContain(`Usage: millrace ${name}`)
      expect(out, name).toContain('Examples:\n  $ ')
    }
  })

  test('without a command it is shown, and that is wrong usage', async () => {
    expect(await millrace([])).toMatchObject({ code: 2, err: expect.stringContaining('Usage: millrace') })
  })
})

describe('the graph of the pipeline that is shipped', () => {
  test('is text, a flowchart of Mermaid or data, and makes no data folder', async () => {
    const none = join(folder, 'none')
    const graph = (...args: readonly string[]) => millrace(['graph', 'realtime', '--data-dir', none, ...args])
    expect(await graph()).toMatchObject({
      code: 0,
      err: '',
      out: expect.stringMatching(/^pipeline realtime\n\nrecords\n├→ decode → /),
    })
    expect(await graph('--mermaid')).toMatchObject({ code: 0, out: expect.stringMatching(/^flowchart LR\n/) })
    expect(JSON.parse((await graph('--json')).out)).toMatchObject({ pipeline: 'realtime', nodes: { length: 24 } })
    expect(existsSync(none)).toBe(false)
  })
})

describe('an empty data folder', () => {
  test('is not made by looking at it', async () => {
    const none = join(folder, 'none')
    expect(await millrace(['candles', '--symbol', 'BTCUSDT', '--format', 'csv', '--data-dir', none])).toMatchObject({
      code: 0,
      out: expect.stringMatching(/^symbol,interval,[^\n]+\n$/),
      err: expect.stringContaining(none),
    })
    expect(await millrace(['candles', '--symbol', 'BTCUSDT', '--format', 'json', '--data-dir', none])).toMatchObject({
      code: 0,
      out: '[\n]\n',
    })
    expect(await millrace(['dead-letters', 'list', '--data-dir', none])).toMatchObject({ code: 0, out: '' })
    const { out } = await millrace(['status', '--json', '--data-dir', none])
    expect(JSON.parse(out)).toMatchObject({ running: null, database: null, dataSets: [] })
  })
})

describe('a database that does not answer', () => {
  test('ends with exit code 1, the error code and what to do, and never shows the password', async () => {
    const env = { DATABASE_URL: 'postgres://me:hunter2@127.0.0.1:1/db' }
    const { code, err } = await millrace(['status'], env)
    expect(code).toBe(1)
    expect(err).toMatch(/^error MILLRACE_RETRYABLE: could not connect to postgres:\/\/127\.0\.0\.1:1\/db: /)
    expect(err).toContain('millrace doctor')
    expect(err).not.toContain('hunter2')
  })
})

describe('the command as a process', () => {
  test('has the exit code, and the message on stderr', async () => {
    const place = { cwd: folder }
    expect(await runCommand(['--version'], place)).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^\d+\.\d+\.\d+/),
    })
    expect(await runCommand(['nonsense'], place)).toMatchObject({
      code: 2,
      stdout: '',
      stderr: expect.stringContaining('error: '),
    })
  })
})
