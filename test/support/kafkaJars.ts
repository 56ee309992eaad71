import { execFile } from 'node:child_process'
import { existsSync, renameSync, rmSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

export const KAFKA_VERSION = '4.1.0'

export const kafkaFolder = fileURLToPath(new URL('../../.cache/kafka', import.meta.url))
const pom = fileURLToPath(new URL('../../scripts/ci/kafka/pom.xml', import.meta.url))

const run = promisify(execFile)

/** Where the broker's jars are, or null; fetched by `fetchJars`. */
export function jarFolder(version = KAFKA_VERSION): string {
  return `${kafkaFolder}/${version}-jars`
}

/** Why no broker of the version can be started on this machine, or null. */
export async function missingForBroker(version = KAFKA_VERSION): Promise<string | null> {
  if (!(await answers('java', ['-version']))) return 'there is no Java runtime'
  if (existsSync(jarFolder(version)) || (await answers('mvn', ['--version']))) return null
  return 'there is no Maven to fetch Apache Kafka with'
}

/** Fetches Apache Kafka once, 43 MB. Call while holding the folder's lock. */
export async function fetchJars(version = KAFKA_VERSION): Promise<void> {
  if (existsSync(jarFolder(version))) return
  const draft = `${jarFolder(version)}.new`
  rmSync(draft, { recursive: true, force: true })
  const what = [`-Dkafka.version=${version}`, 'dependency:copy-dependencies', `-DoutputDirectory=${draft}`]
  await run('mvn', ['-B', '-q', '-f', pom, ...what])
  renameSync(draft, jarFolder(version))
}

async function answers(command: string, args: readonly string[]): Promise<boolean> {
  try {
    await run(command, [...args])
    return true
  } catch {
    return false
  }
}
