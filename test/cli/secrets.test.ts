import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { secretTexts } from '../../src/cli/secretTexts.ts'
import type { SettingValues } from '../../src/cli/settings.ts'
import { runCommand, startCommand } from '../support/commandLine.ts'

const folder = mkdtempSync(join(tmpdir(), 'millrace-secrets-'))
/** Each is told apart, so that the one that leaks has a name. */
const secrets = {
  database: 'Db%2Fpa55word',
  kafka: 'Kafka-pa55word-1',
  s3: 'S3/secret+access/key/0123456789',
  session: 'Session-token-0123456789',
  pager: 'T000/B000/pager-path-secret',
  header: 'Bearer header-secret-012',
  metrics: 'metrics-token-0123456789-0123456789',
  console: 'console-token-0123456789-0123456789',
  lake: 'lake-token-0123456789-0123456789-01',
  failures: 'failure-hook-secret',
  proxy: 'proxy-pa55word',
}
let refused = 0
beforeAll(async () => {
  const server = createServer()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  refused = (server.address() as AddressInfo).port
  server.close()
  writeFileSync(
    join(folder, 'alerts.yaml'),
    'rules: [{ name: any, kind: price, above: 0 }]\nchannels: [{ name: pager, kind: webhook, urlFrom: PAGER, headersFrom: { authorization: PAGER_AUTH } }]\n',
  )
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const env = () => ({
  AWS_ENDPOINT_URL_S3: `http://127.0.0.1:${refused}`,
  AWS_REGION: 'us-east-1',
  AWS_ACCESS_KEY_ID: 'AKIAEXAMPLE',
  AWS_SECRET_ACCESS_KEY: secrets.s3,
  AWS_SESSION_TOKEN: secrets.session,
  MILLRACE_ARCHIVE: 's3://bronze',
  MILLRACE_ALERTS_FILE: 'alerts.yaml',
  PAGER: `http://127.0.0.1:${refused}/services/${secrets.pager}`,
  PAGER_AUTH: secrets.header,
  MILLRACE_METRICS_TOKEN: secrets.metrics,
  MILLRACE_CONSOLE_TOKEN: secrets.console,
  MILLRACE_LAKE_TOKEN: secrets.lake,
  MILLRACE_FAILURE_WEBHOOK: `http://127.0.0.1:${refused}/${secrets.failures}`,
  HTTPS_PROXY: `http://somebody:${secrets.proxy}@127.0.0.1:${refused}`,
  KAFKA_SASL_MECHANISM: 'plain',
  KAFKA_SASL_USERNAME: 'millrace',
  KAFKA_SASL_PASSWORD: secrets.kafka,
})
const database = () => `postgres://me:${secrets.database}@127.0.0.1:${refused}/prices?sslmode=disable`

function leaksIn(text: string): readonly string[] {
  return Object.entries(secrets).flatMap(([name, secret]) =>
    text.includes(secret) || text.includes(decodeURIComponent(secret)) ? [name] : [],
  )
}

describe('what a command prints', { timeout: 120_000 }, () => {
  for (const format of ['json', 'text'])
    test(`has no secret while everything is away, as ${format}`, async () => {
      const place = {
        cwd: folder,
        env: { ...env(), DATABASE_URL: database(), KAFKA_BROKERS: `127.0.0.1:${refused}`, MILLRACE_LOG_FORMAT: format },
      }
      const commands = [
        ['run', 'realtime', '--source', 'none'],
        ['ingest', '--source', 'simulator'],
        ['monitor', '--metrics-port', '0'],
        ['run', 'batch'],
      ].map((args) => startCommand(args, place))
      await sleep(4_000)
      for (const { process } of commands) process.kill('SIGTERM')
      for (const { ended } of commands) {
        const { stdout, stderr } = await ended
        expect(leaksIn(stdout + stderr), stdout + stderr).toEqual([])
        if (format === 'json')
          for (const line of (stdout + stderr)
            .trim()
            .split('\n')
            .filter((one) => one !== ''))
            expect(JSON.parse(line), line).toMatchObject({ time: expect.any(String), level: expect.any(String) })
      }
    })

  test('has no secret while it runs and what it sends to is away', async () => {
    const run = startCommand(['run', 'realtime', '--source', 'simulator', '--symbols', 'AAAUSDT'], {
      cwd: folder,
      env: { ...env(), MILLRACE_ARCHIVE: 'directory', MILLRACE_LOG_FORMAT: 'json', MILLRACE_CONSOLE_PORT: '0' },
    })
    await run.seen(/First candle after/)
    await sleep(2_000)
    const status = await runCommand(['status', '--json'], { cwd: folder, env: env() })
    run.process.kill('SIGTERM')
    const { stdout, stderr } = await run.ended
    expect(leaksIn(stdout + stderr + status.stdout + status.stderr)).toEqual([])
  })

  test('has no secret although a program of a user puts all of them into an error', async () => {
    writeFileSync(
      join(folder, 'leaky.mjs'),
      `process.emitWarning(JSON.stringify(process.env)); throw new Error('cannot reach ' + Object.values(process.env).join(' '))`,
    )
    for (const format of ['json', 'text']) {
      const place = { cwd: folder, env: { ...env(), DATABASE_URL: database(), MILLRACE_LOG_FORMAT: format } }
      const { code, stdout, stderr } = await runCommand(['run', 'leaky.mjs'], place)
      expect(code).not.toBe(0)
      expect(stderr).toContain('cannot reach')
      expect(leaksIn(stdout + stderr), stdout + stderr).toEqual([])
    }
  })

  test('has no secret where somebody asks why it does not go', async () => {
    const place = { cwd: folder, env: { ...env(), DATABASE_URL: database(), KAFKA_BROKERS: `127.0.0.1:${refused}` } }
    for (const args of [
      ['doctor'],
      ['status'],
      ['alerts', 'test'],
      ['backup', '--place', 's3://keep/here'],
      ['buckets', 'create', 'raw'],
    ]) {
      const { stdout, stderr } = await runCommand(args, place)
      expect(leaksIn(stdout + stderr), args.join(' ')).toEqual([])
    }
  })
})

test('a secret is known by its setting, by the name of its variable, and as the password of any address; a plain word is none', () => {
  const values = { databaseUrl: 'postgres://me:a%2Fb0123@h/d' } as SettingValues
  const others = {
    PGPASSWORD: 'postgres',
    SLACK_WEBHOOK_URL: 'http://hooks/T0/B0/xyz',
    HTTPS_PROXY: 'http://me:pr0xy-pass@h:1',
    KAFKA_SSL_PASSPHRASE_FILE: '/run/secrets/passphrase',
    PAGER: 'http://pager/1234',
    PATH: '/usr/bin',
  }
  expect(secretTexts(values, others, ['PAGER'])).toEqual([
    'postgres://me:a%2Fb0123@h/d',
    'http://hooks/T0/B0/xyz',
    'http://pager/1234',
    'pr0xy-pass',
    'a%2Fb0123',
    'a/b0123',
  ])
})
