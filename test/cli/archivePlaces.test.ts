import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import type { ObjectStore } from '../../src/runtime/objectStore.ts'
import { parseArchiveKey } from '../../src/sinks/archive/archiveKey.ts'
import { markerKey } from '../../src/sinks/archive/archiveOwner.ts'
import { s3Store } from '../../src/sinks/objects/s3Store.ts'
import { runCommand, startCommand } from '../support/commandLine.ts'
import { type OwnDatabase, ownDatabase } from '../support/ownDatabase.ts'
import { ownBucket, pickyS3, realS3, requiredS3, s3Environment, s3Title } from '../support/realS3.ts'

const topic = 'crypto.trades.raw'
const folder = mkdtempSync(join(tmpdir(), 'millrace-places-'))
const databases: OwnDatabase[] = []
const stores: ObjectStore[] = []
const closing: { close(): Promise<void> }[] = []

beforeAll(async () => {
  if (realS3 !== null) databases.push(await ownDatabase(), await ownDatabase())
})
afterEach(async () => {
  for (const store of stores.splice(0)) await store.close()
  for (const server of closing.splice(0)) await server.close()
})
afterAll(async () => {
  for (const database of databases) await database.close()
  rmSync(folder, { recursive: true, force: true })
})

function tape(name: string, from: number): string {
  const frame = (id: number) =>
    `{"stream":"abusdt@trade","data":{"e":"trade","E":${1_723_161_255_343 + id},"s":"ABUSDT","t":${id},"p":"1","q":"1","T":${1_723_161_255_342 + id},"m":true,"M":true}}`
  const file = join(folder, `${name}.jsonl.gz`)
  writeFileSync(file, gzipSync(Array.from({ length: 20 }, (_, i) => frame(from + i)).join('\n')))
  return file
}

function millrace(database: OwnDatabase | undefined, place: string, args: string[], env: Record<string, string> = {}) {
  const cwd = join(folder, database?.connection.database ?? 'nowhere')
  mkdirSync(cwd, { recursive: true })
  return runCommand(args, { cwd, env: { ...environment(database, place), ...env } })
}

function environment(database: OwnDatabase | undefined, place: string): Record<string, string> {
  return {
    ...s3Environment(),
    MILLRACE_ARCHIVE: place,
    ...(database === undefined ? {} : { DATABASE_URL: database.url }),
  }
}

async function keysIn(bucket: string): Promise<string[]> {
  const store = s3Store({ bucket, ...requiredS3(), onWarning: () => {} })
  stores.push(store)
  const keys: string[] = []
  for await (const { key } of store.list('')) if (key.endsWith('.zst')) keys.push(key)
  return keys
}

const feedTape = (file: string) => [
  'run',
  'realtime',
  '--source',
  'tape',
  '--tape',
  file,
  '--topic',
  topic,
  '--until-end',
]

describe.skipIf(realS3 === null)(s3Title('the archive in a bucket'), { timeout: 180_000 }, () => {
  it('belongs to one database: another one is refused, and its sweep deletes nothing', async () => {
    const bucket = await ownBucket()
    const place = `s3://${bucket}/raw`
    const [one, other] = databases
    expect(await millrace(one, place, feedTape(tape('one', 0)))).toMatchObject({ code: 0 })
    const [object = ''] = await keysIn(bucket)
    expect(object).toContain(`raw/topic=${topic}/`)

    const refused = await millrace(other, place, feedTape(tape('other', 500)))
    expect(refused.code).toBe(2)
    expect(refused.stderr).toContain(`s3://${bucket}/raw: the archive of ${topic} there belongs to another database`)
    expect(refused.stderr).toContain(one?.connection.database)
    expect(refused.stderr).toContain('MILLRACE_ARCHIVE=s3://')

    expect(await millrace(other, `s3://${bucket}/other`, feedTape(tape('other', 500)))).toMatchObject({ code: 0 })
    const before = await keysIn(bucket)
    expect(before).toHaveLength(2)
    const swept = await millrace(other, place, ['archive', 'sweep', '--delete'])
    expect(swept.code).toBe(1)
    expect(swept.stderr).toContain('refused: ')
    expect(await keysIn(bucket)).toEqual(before)
  })

  it('of an earlier version is taken over by whose manifest names its objects, and the others are left alone', async () => {
    const bucket = await ownBucket()
    const place = `s3://${bucket}/old`
    const [one, other] = databases
    expect(await millrace(one, place, feedTape(tape('a', 1_000)))).toMatchObject({ code: 0 })
    const store = s3Store({ bucket, prefix: 'old/', ...requiredS3(), onWarning: () => {} })
    stores.push(store)
    const [own = ''] = await keysIn(bucket)
    const body = (await store.get(own.slice('old/'.length))) ?? expect.unreachable()
    const { partition } = parseArchiveKey(own) ?? expect.unreachable()
    const foreign = `topic=${topic}/date=2020-01-01/partition=${partition}/00000000000000000000-00000000000000000001.jsonl.zst`
    await store.put(foreign, body, 'of nobody')
    await store.delete(markerKey('', topic))

    const stranger = await millrace(other, place, feedTape(tape('b', 1_500)))
    expect(stranger.code).toBe(2)
    expect(stranger.stderr).toContain('this database has never archived')
    const early = await millrace(one, place, ['archive', 'sweep', '--delete'])
    expect(early.code).toBe(1)
    expect(early.stderr).toContain('does not say whose it is')

    expect(await millrace(one, place, feedTape(tape('c', 2_000)))).toMatchObject({ code: 0 })
    const orphan = `topic=${topic}/date=2020-01-01/partition=${partition}/00000000000000000000-00000000000000000002.jsonl.zst`
    await store.put(orphan, body, 'of nobody')
    expect(await millrace(one, place, ['archive', 'sweep', '--delete'])).toMatchObject({
      code: 0,
      stdout: `${orphan}\n`,
    })
    expect(await store.get(foreign)).not.toBeNull()
    expect(await store.get(orphan)).toBeNull()
    expect((await millrace(other, place, feedTape(tape('b', 1_500)))).stderr).toContain('belongs to another database')
  })

  it('tells a second pipeline of the same database that another one archives the topic there', async () => {
    const bucket = await ownBucket()
    const place = `s3://${bucket}/shared`
    const [one] = databases
    expect(await millrace(one, place, feedTape(tape('shared', 3_000)))).toMatchObject({ code: 0 })
    const file = join(folder, 'second.ts')
    const index = new URL('../../src/index.ts', import.meta.url).href
    writeFileSync(
      file,
      `import { definePipeline, toArchive } from '${index}'
export default definePipeline({ name: 'second', build: (records) => ({ raw: toArchive(records) }) })
`,
    )
    const second = await millrace(one, place, ['run', file, '--topic', topic, '--until-end'])
    expect(second, second.stderr).toMatchObject({ code: 0 })
    expect(second.stdout + second.stderr).toContain(
      `warning: pipeline realtime has archived ${topic} in ${place} as well`,
    )
  })

  it('ends the start with the setting where a person has to change it, and doctor says the same', async () => {
    const bucket = await ownBucket()
    const [one] = databases
    const cases: [string, Record<string, string>, RegExp][] = [
      ['s3://is-not-there', {}, /the bucket does not exist/],
      [`s3://${bucket}`, { AWS_SECRET_ACCESS_KEY: 'wrong' }, /check the access key and the secret/],
      [`s3://${bucket}`, { AWS_ACCESS_KEY_ID: 'nobody' }, /No user exists/],
      [
        `s3://${bucket}`,
        { AWS_ACCESS_KEY_ID: '', AWS_SECRET_ACCESS_KEY: '', AWS_EC2_METADATA_DISABLED: 'true', HOME: folder },
        /AWS_ACCESS_KEY_ID/,
      ],
      [`s3://${bucket}`, { AWS_ENDPOINT_URL_S3: 'http://127.0.0.1:99999' }, /endpoint must be/],
    ]
    for (const [place, env, words] of cases) {
      const run = await millrace(one, place, feedTape(tape('never', 9_000)), env)
      expect({ code: run.code, stderr: run.stderr }, String(words)).toEqual({
        code: 2,
        stderr: expect.stringMatching(words),
      })
      const doctor = await millrace(one, place, ['doctor'], env)
      expect(doctor.stdout).toMatch(/^fail +archive /m)
      expect(doctor.stdout).toMatch(words)
    }
    expect((await millrace(one, `s3://${bucket}`, ['doctor'])).stdout).toMatch(/^ok +archive .*takes and gives back/m)
  })

  it('refuses a prefix that no key may have, at once', async () => {
    for (const prefix of ['a/../b', 'a//b', '/a', '.hidden/a', 'a\\b']) {
      const run = await millrace(databases[0], `s3://some-bucket/${prefix}`, feedTape(tape('never', 9_000)))
      expect(run.code, prefix).toBe(2)
      expect(run.stderr).toContain('MILLRACE_ARCHIVE')
    }
  })

  it('is waited for at the start where the store is away, and status says so in the words of the store', async () => {
    const bucket = await ownBucket()
    const [one] = databases
    let isAway = true
    const server = await pickyS3(() =>
      isAway
        ? { status: 503, body: '<Error><Code>ServiceUnavailable</Code><Message>moving house</Message></Error>' }
        : null,
    )
    closing.push(server)
    const place = `s3://${bucket}/late`
    const env = { ...environment(one, place), ...s3Environment(server.endpoint) }
    const cwd = join(folder, one?.connection.database ?? '')
    const run = startCommand(feedTape(tape('late', 5_000)), { cwd, env })
    await run.seen(/Waiting for the archive at .*moving house/)
    const status = await runCommand(['status'], { cwd, env })
    expect(status.stdout + status.stderr).toContain('moving house')
    isAway = false
    expect(await run.ended).toMatchObject({ code: 0 })
  })
})
