import { execFile } from 'node:child_process'
import { existsSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { makeFolder } from '../../src/embedded/folder.ts'
import { Skipped } from './compatCase.ts'
import type { PlainRecord } from './records.ts'
import type { Stage } from './stage.ts'

const run = promisify(execFile)
const scripts = fileURLToPath(new URL('python', import.meta.url))
const cache = fileURLToPath(new URL('../../.cache/compat', import.meta.url))
const requirements = join(scripts, 'requirements.txt')

/** A minute on a machine that does nothing else. */
const installTimeoutMs = 900_000

/** Clients of Kafka that others have written, by their names at PyPI. */
export type PythonLibrary = 'confluent-kafka' | 'aiokafka' | 'kafka-python'

/** What one producer is to do. */
export interface ProducerTask {
  readonly variant: string
  readonly codec: string
  readonly mode: 'plain' | 'idempotent' | 'transactional'
  readonly records: readonly PlainRecord[]
  /** In a transaction between the two of the records, which is given up. */
  readonly aborted: readonly PlainRecord[]
}

/** The folder of the programs of an environment with what is required, made once. @param mayInstall whether it may be made now, which takes a minute */
export function pythonPrograms(stage: Stage, mayInstall: boolean): Promise<string> {
  return stage.part('python', async () => {
    const made = join(cache, 'python')
    const mark = join(made, 'requirements.txt')
    if (existsSync(mark) && readFileSync(mark, 'utf8') === readFileSync(requirements, 'utf8')) return join(made, 'bin')
    if (!mayInstall)
      throw new Skipped('the clients of Python are not installed yet; `npm run compat` without --short does it')
    makeFolder(cache)
    rmSync(made, { recursive: true, force: true })
    const python = await run('python3', ['--version']).then(
      () => 'python3',
      () => {
        throw new Skipped('there is no Python here')
      },
    )
    // Programs of an environment name its folder, so it is made where it stays.
    await run(python, ['-m', 'venv', made])
    const install = ['install', '-q', '--disable-pip-version-check', '-r', requirements]
    await run(join(made, 'bin', 'pip'), install, { timeout: installTimeoutMs }).catch((error: unknown) => {
      const { killed, stderr } = error as { readonly killed?: boolean; readonly stderr?: string }
      const why =
        killed === true ? `not within ${installTimeoutMs / 60_000} minutes` : stderr?.trim().split('\n').at(-1)
      throw new Skipped(`the clients of Python could not be installed: ${why || String(error)}`)
    })
    const draft = `${mark}.new`
    writeFileSync(draft, readFileSync(requirements))
    renameSync(draft, mark)
    return join(made, 'bin')
  })
}

export async function produceWith(
  stage: Stage,
  library: PythonLibrary,
  broker: string,
  topic: string,
  tasks: readonly ProducerTask[],
): Promise<void> {
  const file = join(stage.newFolder('produce'), 'tasks.json')
  writeFileSync(file, JSON.stringify(tasks))
  await python(stage, ['produce.py', library, broker, topic, file])
}

export async function consumeWith(
  stage: Stage,
  library: PythonLibrary,
  broker: string,
  topic: string,
): Promise<PlainRecord[]> {
  const output = await python(stage, ['consume.py', library, broker, topic])
  return output
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as PlainRecord)
}

async function python(stage: Stage, [script, ...args]: readonly string[]): Promise<string> {
  const programs = await pythonPrograms(stage, true)
  const child = stage.spawn(join(programs, 'python'), [join(scripts, script as string), ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  let errors = ''
  child.stdout?.on('data', (chunk: Buffer) => {
    output += chunk.toString()
  })
  child.stderr?.on('data', (chunk: Buffer) => {
    errors = (errors + chunk.toString()).slice(-4_000)
  })
  const tooLong = setTimeout(() => child.kill('SIGKILL'), 90_000)
  const code = await new Promise<number | null>((resolve) => child.once('close', (ended) => resolve(ended)))
  clearTimeout(tooLong)
  if (code !== 0) throw new Error(`${script} ${args[0]} ended with ${code}: ${errors.trim().split('\n').at(-1)}`)
  return output
}
