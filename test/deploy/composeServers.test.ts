import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseEnv } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { removeBrokerData } from '../support/brokerProcess.ts'
import { runCommand } from '../support/commandLine.ts'
import { type ComposeFile, makeEnvFile, missingForCompose, readComposeFile } from '../support/composeFile.ts'
import { missingGateway, startComposeBroker, startComposeGateway } from '../support/composeServers.ts'
import { canStartBroker, startTitle } from '../support/kafkaBroker.ts'

const missing = await missingForCompose()
if (missing !== null || missingGateway !== null)
  console.warn(`SKIPPED: the S3 gateway of docker-compose.yml: ${missing ?? missingGateway}`)
if (missing !== null || !canStartBroker) console.warn('SKIPPED: the broker of docker-compose.yml')

describe.skipIf(missing !== null)('the servers of docker-compose.yml', { timeout: 120_000 }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-servers-'))
  let file: ComposeFile
  let secrets: Record<string, string | undefined>
  beforeAll(async () => {
    const env = await makeEnvFile()
    file = await readComposeFile(env.path)
    secrets = parseEnv(readFileSync(env.path, 'utf8'))
    env.remove()
  }, 180_000)
  afterAll(() => rmSync(folder, { recursive: true, force: true }))

  test.skipIf(missingGateway !== null)(
    'the account of the workers has the bucket of the archive, and nothing else',
    async () => {
      const gateway = await startComposeGateway(file, folder)
      const environmentOf = (service: string): Record<string, string> => {
        const given = Object.entries(file.services[service]?.environment ?? {})
        const own = given.filter(([name]) => name.startsWith('AWS_')).map(([name, value]) => [name, value ?? ''])
        return { ...Object.fromEntries(own), AWS_ENDPOINT_URL_S3: gateway.endpoint }
      }
      const millrace = (service: string, args: readonly string[], env: Record<string, string> = {}) =>
        runCommand(args, { cwd: folder, env: { ...environmentOf(service), ...env } })
      try {
        expect(await millrace('buckets', [...(file.services.buckets?.command ?? [])])).toMatchObject({ code: 0 })
        await gateway.once('accounts')
        await gateway.once('accounts')
        const archive = async (place: string) =>
          (await millrace('worker', ['doctor'], { MILLRACE_ARCHIVE: place })).stdout.match(/^.*archive .*$/m)?.[0]
        expect(await archive(file.services.worker?.environment?.MILLRACE_ARCHIVE ?? '')).toMatch(
          /^ok .*takes and gives/,
        )
        expect(await archive('s3://gold')).toMatch(/^fail .*refuses access/)
        expect((await millrace('worker', ['buckets', 'create', 'another'])).stderr).toContain('refuses access')
      } finally {
        await gateway.stop()
      }
    },
  )

  test.skipIf(!canStartBroker)(startTitle('the broker takes nobody without the login'), async () => {
    const dataDir = join(folder, 'kafka')
    const { broker, host } = await startComposeBroker(file, dataDir)
    try {
      const login = Object.fromEntries(
        Object.entries(file.services.topics?.environment ?? {}).filter(([name]) => name.startsWith('KAFKA_SASL_')),
      ) as Record<string, string>
      const topics = (env: Record<string, string>) =>
        runCommand(['topics', 'create', 'a.topic'], { cwd: folder, env: { ...env, KAFKA_BROKERS: host } })
      expect(await topics(login)).toMatchObject({ code: 0, stdout: 'topic a.topic: made with 4 partitions\n' })
      expect(await topics({})).toMatchObject({ code: 2, stderr: expect.stringContaining('wants a login by PLAIN') })
      const wrong = await topics({ ...login, KAFKA_SASL_PASSWORD: 'a-guess' })
      expect(wrong).toMatchObject({ code: 2, stderr: expect.stringContaining('Check kafka.sasl') })
      expect(wrong.stderr).not.toContain(secrets.KAFKA_LOGIN_PASSWORD)
    } finally {
      await broker.kill()
      removeBrokerData(dataDir)
    }
  })
})
