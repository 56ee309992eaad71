import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, symlinkSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { type Broker, freePorts, startBroker } from './brokerProcess.ts'
import type { ComposeFile } from './composeFile.ts'

const run = promisify(execFile)
const root = resolve(import.meta.dirname, '../..')
const version = /versitygw_version=(\S+)/.exec(readFileSync(join(root, '.ci/run'), 'utf8'))?.[1]
const program = join(root, `.cache/bin/versitygw-${version}`)

/** Why the S3 gateway of the compose file cannot be started here, or null. */
export const missingGateway = existsSync(program) ? null : `there is no ${program}, which .ci/run builds`

/** The gateway as the compose file starts it, and what else it runs there. */
export interface ComposeGateway {
  readonly endpoint: string
  /** Runs the command of another service of the gateway's image. */
  once(service: string): Promise<void>
  stop(): Promise<void>
}

export async function startComposeGateway(file: ComposeFile, folder: string): Promise<ComposeGateway> {
  const [port] = await freePorts(1)
  const endpoint = `http://127.0.0.1:${port}`
  for (const name of ['bin', 'objects', 'accounts']) mkdirSync(join(folder, name), { recursive: true })
  symlinkSync(program, join(folder, 'bin/versitygw'))
  const { command = [], environment = {} } = file.services.objects ?? {}
  const args = (command ?? []).map((word) => word.replace(/^\/(?=objects$|accounts$)/, `${folder}/`))
  const child: ChildProcess = spawn(program, args, {
    env: { ...given(environment), VGW_PORT: `127.0.0.1:${port}` },
    stdio: 'ignore',
  })
  const ended = new Promise<void>((done) => child.once('exit', () => done()))
  const until = performance.now() + 10_000
  while (!(await answers(`${endpoint}/health`))) {
    if (performance.now() > until) throw new Error('the gateway does not answer')
    await sleep(50)
  }
  return {
    endpoint,
    once: async (service) => {
      const { entrypoint = [], command: words = [], environment: variables = {} } = file.services[service] ?? {}
      const [shell = 'sh', ...rest] = [...(entrypoint ?? []), ...(words ?? [])]
      const env = { ...given(variables), ADMIN_ENDPOINT_URL: endpoint, PATH: `${join(folder, 'bin')}:/usr/bin:/bin` }
      await run(shell, rest, { env })
    },
    stop: async () => {
      child.kill()
      await ended
    },
  }
}

async function answers(url: string): Promise<boolean> {
  return fetch(url).then(
    ({ ok }) => ok,
    () => false,
  )
}

function given(environment: Readonly<Record<string, string | null>>): Record<string, string> {
  return Object.fromEntries(Object.entries(environment).map(([name, value]) => [name, value ?? '']))
}

/** The broker with the listeners and logins of the compose file, at ports of loopback; the image makes properties of its variables in the same way. */
export async function startComposeBroker(
  file: ComposeFile,
  dataDir: string,
): Promise<{ broker: Broker; host: string }> {
  const [inside, host, self, controller] = (await freePorts(4)) as [number, number, number, number]
  const here: readonly (readonly [RegExp, string])[] = [
    [/(\/\/)(kafka)?:19092/g, `$1127.0.0.1:${inside}`],
    [/(\/\/)(127\.0\.0\.1)?:9092/g, `$1127.0.0.1:${host}`],
    [/localhost:19093/g, `127.0.0.1:${self}`],
    [/localhost:29093/g, `127.0.0.1:${controller}`],
  ]
  const properties = Object.entries(given(file.services.kafka?.environment ?? {}))
    .filter(([name]) => name.startsWith('KAFKA_') && !/_(HEAP_OPTS|LOG_DIRS)$/.test(name))
    .map(([name, value]): [string, string] => [
      name.slice('KAFKA_'.length).toLowerCase().replaceAll('_', '.'),
      here.reduce((text, [from, to]) => text.replace(from, to), value),
    ])
  const ports = { plain: self, sasl: host, controller }
  const broker = await startBroker({ dataDir, ports, properties: Object.fromEntries(properties) })
  return { broker, host: `127.0.0.1:${host}` }
}
