import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, renameSync } from 'node:fs'
import { connect } from 'node:net'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3'
import { freePorts } from '../../test/support/brokerProcess.ts'
import { Skipped } from './compatCase.ts'
import { pythonPrograms } from './python.ts'
import { endProcess, type Stage } from './stage.ts'

const versitygwVersion = 'v1.8.0'
/** Where `.ci/run` puts it too. */
const versitygwPath = fileURLToPath(new URL(`../../.cache/bin/versitygw-${versitygwVersion}`, import.meta.url))

/** An object store with a bucket. */
export interface Gateway {
  readonly endpoint: string
  readonly bucket: string
  readonly accessKeyId: string
  readonly secretAccessKey: string
}

/** As the standard variables of AWS have it. */
export function s3Environment({ endpoint, accessKeyId, secretAccessKey }: Gateway): Readonly<Record<string, string>> {
  return {
    AWS_ENDPOINT_URL_S3: endpoint,
    AWS_REGION: 'us-east-1',
    AWS_ACCESS_KEY_ID: accessKeyId,
    AWS_SECRET_ACCESS_KEY: secretAccessKey,
  }
}

export function s3Client({ endpoint, accessKeyId, secretAccessKey }: Gateway): S3Client {
  const credentials = { accessKeyId, secretAccessKey }
  return new S3Client({ endpoint, region: 'us-east-1', credentials, forcePathStyle: true })
}

export function versitygw(stage: Stage, mayInstall: boolean): Promise<Gateway> {
  return stage.part('versitygw', async () => {
    if (!existsSync(versitygwPath)) await installVersitygw(mayInstall)
    const [port] = (await freePorts(1)) as [number]
    const [accessKeyId, secretAccessKey] = [randomBytes(8).toString('hex'), randomBytes(20).toString('hex')]
    const server = stage.spawn(
      versitygwPath,
      ['-p', `127.0.0.1:${port}`, '--quiet', 'posix', stage.newFolder('versitygw')],
      {
        // Arguments are visible to everybody on the machine.
        env: { PATH: process.env.PATH, ROOT_ACCESS_KEY: accessKeyId, ROOT_SECRET_KEY: secretAccessKey },
        stdio: 'ignore',
      },
    )
    stage.onClose(() => endProcess(server))
    return withBucket({ endpoint: `http://127.0.0.1:${port}`, bucket: 'compat', accessKeyId, secretAccessKey }, port)
  })
}

export function moto(stage: Stage, mayInstall: boolean): Promise<Gateway> {
  return stage.part('moto', async () => {
    const programs = await pythonPrograms(stage, mayInstall)
    const [port] = (await freePorts(1)) as [number]
    const server = stage.spawn(join(programs, 'moto_server'), ['-H', '127.0.0.1', '-p', String(port)], {
      stdio: 'ignore',
    })
    stage.onClose(() => endProcess(server))
    const keys = { accessKeyId: 'compat', secretAccessKey: 'not-a-secret' }
    return withBucket({ endpoint: `http://127.0.0.1:${port}`, bucket: 'compat', ...keys }, port)
  })
}

async function installVersitygw(mayInstall: boolean): Promise<void> {
  if (!mayInstall) throw new Skipped('versitygw is not installed yet; `npm run compat` without --short does it')
  const run = promisify(execFile)
  await run('go', ['version']).catch(() => {
    throw new Skipped('there is no Go here to install versitygw with')
  })
  const draft = `${dirname(versitygwPath)}.new`
  mkdirSync(dirname(versitygwPath), { recursive: true })
  await run('go', ['install', `github.com/versity/versitygw/cmd/versitygw@${versitygwVersion}`], {
    env: { ...process.env, GOBIN: draft },
    timeout: 300_000,
  })
  renameSync(join(draft, 'versitygw'), versitygwPath)
}

async function withBucket(gateway: Gateway, port: number): Promise<Gateway> {
  await untilListening(port)
  const client = s3Client(gateway)
  await client.send(new CreateBucketCommand({ Bucket: gateway.bucket }))
  client.destroy()
  return gateway
}

async function untilListening(port: number): Promise<void> {
  for (const deadline = performance.now() + 30_000; ; await sleep(100)) {
    const isThere = await new Promise<boolean>((resolve) => {
      const socket = connect(port, '127.0.0.1', () => {
        socket.destroy()
        resolve(true)
      })
      socket.once('error', () => resolve(false))
    })
    if (isThere) return
    if (performance.now() > deadline) throw new Error(`nobody listens on port ${port}`)
  }
}
