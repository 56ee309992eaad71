import { execFile } from 'node:child_process'
import { readFileSync, statSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { parseEnv, promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { settingNames, settings } from '../../src/cli/settings.ts'
import { type ComposeFile, makeEnvFile, missingForCompose, readComposeFile } from '../support/composeFile.ts'
import { KAFKA_VERSION } from '../support/kafkaJars.ts'

const root = resolve(import.meta.dirname, '../..')
const read = (path: string) => readFileSync(join(root, path), 'utf8')
const missing = await missingForCompose()
const title = 'docker-compose.yml'
if (missing !== null) console.warn(`SKIPPED: ${title}: ${missing}`)

describe('npm run env', () => {
  test('writes every variable of .env.example, secrets at random, for nobody else to read, and never over a file', async () => {
    const [one, other] = [await makeEnvFile(), await makeEnvFile()]
    try {
      const [mine, theirs] = [one, other].map(({ path }) => parseEnv(readFileSync(path, 'utf8')))
      const example = parseEnv(read('.env.example'))
      expect(Object.keys(mine!)).toEqual(Object.keys(example))
      for (const [name, text] of Object.entries(example)) expect(text, `${name} has a default`).toBe('')
      for (const name of [
        'POSTGRES_PASSWORD',
        'S3_ROOT_SECRET_KEY',
        'S3_SECRET_KEY',
        'KAFKA_LOGIN_PASSWORD',
        'KAFKA_CLUSTER_ID',
      ]) {
        expect(mine![name]?.length, name).toBeGreaterThanOrEqual(22)
        expect(mine![name], name).not.toBe(theirs![name])
      }
      expect(statSync(one.path).mode & 0o777).toBe(0o600)
      const before = readFileSync(one.path, 'utf8')
      const again = promisify(execFile)(process.execPath, [join(root, 'scripts/makeEnv.ts'), one.path])
      await expect(again).rejects.toMatchObject({ code: 1, stderr: expect.stringContaining('is there already') })
      expect(readFileSync(one.path, 'utf8')).toBe(before)
    } finally {
      one.remove()
      other.remove()
    }
  })
})

describe.skipIf(missing !== null)(missing === null ? title : `${title} (${missing})`, { timeout: 180_000 }, () => {
  let file: ComposeFile
  let env: Awaited<ReturnType<typeof makeEnvFile>>
  beforeAll(async () => {
    env = await makeEnvFile()
    file = await readComposeFile(env.path)
  }, 180_000)
  afterAll(() => env.remove())
  const services = () => Object.entries(file.services)

  test('has no secret of its own: without a .env every one is missed by name', async () => {
    await expect(readComposeFile(join(root, '.env.example'))).rejects.toThrow(
      /POSTGRES_PASSWORD is missing a value: run npm run env first/,
    )
    const secrets = Object.entries(parseEnv(readFileSync(env.path, 'utf8'))).filter(([, text]) => text !== '')
    for (const [name, text] of secrets) {
      expect(JSON.stringify(file), name).toContain(text)
      expect(read('docker-compose.yml')).toMatch(new RegExp(`\\$\\{${name}:\\?`))
    }
  })

  test('every service is bounded, confined, not root and reachable on loopback only', () => {
    for (const [name, service] of services()) {
      expect(Number(service.mem_limit), name).toBeGreaterThan(0)
      expect(service.cap_drop, name).toEqual(['ALL'])
      expect(service.security_opt, name).toEqual(['no-new-privileges:true'])
      expect(service.user ?? 'root', name).not.toMatch(/^(root|0)/)
      for (const port of service.ports ?? []) expect(port.host_ip, name).toBe('127.0.0.1')
    }
  })

  test('every service that stays up has a health check and is started again; the others are waited for', () => {
    const once = services().filter(([, service]) => service.restart === undefined)
    expect(once.map(([name]) => name)).toEqual(['accounts', 'buckets', 'cli', 'migrate', 'superset-prepare', 'topics'])
    for (const [name, service] of services()) {
      if (service.restart === undefined) continue
      expect(service.restart, name).toBe('unless-stopped')
      expect(service.healthcheck?.test?.length, name).toBeGreaterThan(1)
    }
    for (const name of ['worker', 'worker-simulated'])
      expect(file.services[name]?.depends_on).toMatchObject({
        migrate: { condition: 'service_completed_successfully' },
        topics: { condition: 'service_completed_successfully' },
        accounts: { condition: 'service_completed_successfully' },
      })
  })

  test('nothing connects to the database as its superuser, and only the migration as its owner', () => {
    const roles = services().flatMap(([name, { environment }]) => {
      const url = environment?.DATABASE_URL
      return url == null ? [] : [[name, new URL(url).username]]
    })
    expect(Object.fromEntries(roles)).toMatchObject({ migrate: 'millrace_owner', worker: 'millrace', cli: 'millrace' })
    expect(roles.filter(([, role]) => role !== 'millrace').map(([name]) => name)).toEqual(['migrate'])
    expect(file.services.postgres?.environment?.POSTGRES_USER).toBe('postgres')
  })

  test('servers keep what they hold in volumes', () => {
    const volumes = {
      kafka: ['kafka'],
      postgres: ['postgres'],
      objects: ['objects', 'accounts'],
      prometheus: ['prometheus'],
      grafana: ['grafana'],
      superset: ['superset'],
    }
    for (const [name, sources] of Object.entries(volumes)) {
      const wanted = sources.map((source) => expect.objectContaining({ type: 'volume', source }))
      expect(
        file.services[name]?.volumes?.filter(({ type }) => type === 'volume'),
        name,
      ).toEqual(wanted)
    }
    expect(Object.keys(file.volumes).sort()).toEqual(Object.values(volumes).flat().toSorted())
  })

  test('every variable of our own services is a setting or a standard one', () => {
    const known = new Set<string>(settingNames.flatMap((name) => settings[name].env ?? []))
    for (const [name, service] of services()) {
      if (service.image !== 'millrace:local') continue
      for (const variable of Object.keys(service.environment ?? {}))
        expect(known.has(variable) || variable.startsWith('AWS_'), `${name}: ${variable}`).toBe(true)
    }
  })

  test('the keys of the gateway itself are for making buckets and accounts alone', () => {
    const secrets = parseEnv(readFileSync(env.path, 'utf8'))
    const holders = (name: string) =>
      services()
        .filter(([, service]) =>
          Object.values(service.environment ?? {}).some((text) => text?.includes(secrets[name]!)),
        )
        .map(([service]) => service)
        .sort()
    expect(holders('S3_ROOT_SECRET_KEY')).toEqual(['accounts', 'buckets', 'objects'])
    expect(holders('S3_SECRET_KEY')).toEqual(['accounts', 'cli', 'worker', 'worker-simulated'])
  })

  test('the image is built with all that the build is made of', () => {
    const dockerfile = read('Dockerfile')
    const copied = dockerfile
      .split('\n')
      .flatMap((line) => (line.startsWith('COPY ') ? line.split(' ').slice(1, -1) : []))
    const allowed = read('.dockerignore').split('\n')
    const imported = [...read('scripts/build.ts').matchAll(/from '\.\/(.*)'/g)].map(([, name]) => `scripts/${name}`)
    expect(imported.length).toBeGreaterThan(1)
    for (const path of [...imported, 'scripts/build.ts', 'src', 'assembly', 'pages']) {
      expect(copied, path).toContain(path)
      expect(allowed, path).toContain(`!${path}`)
    }
  })

  test('versions are pinned, and are those that the tests run against', () => {
    expect(file.services.kafka?.image).toBe(`apache/kafka:${KAFKA_VERSION}`)
    expect(file.services.postgres?.image).toMatch(/^postgres:18\.\d+-/)
    const dockerfile = read('Dockerfile')
    const node = (JSON.parse(read('node_modules/node/package.json')) as { version: string }).version
    expect(dockerfile).toContain(`ARG NODE_IMAGE=node:${node}-`)
    const gateway = /versitygw_version=(\S+)/.exec(read('.ci/run'))?.[1]
    expect(dockerfile).toContain(`ARG VERSITYGW_IMAGE=versity/versitygw:${gateway}`)
    for (const [name, service] of services()) expect(service.image, name).not.toMatch(/:latest$|^[^:]+$/)
  })
})
