import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { jarFolder } from './kafkaJars.ts'
import type { SeenRecord } from './recordBatches.ts'

const run = promisify(execFile)
const program = fileURLToPath(new URL('java/Produce.java', import.meta.url))

/** Whether Apache Kafka's own producer can be run here: the launcher compiles it, which a bare runtime cannot. */
export async function hasJavaCompiler(): Promise<boolean> {
  try {
    const { stdout } = await run('java', ['--list-modules'])
    return stdout.includes('jdk.compiler')
  } catch {
    return false
  }
}

export const JAVA_CODECS = ['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const

/** Writes topics `prefix` + codec and `prefix` + transactions, which must exist; gives what a reader should see of each, in order. */
export async function produceWithJava(
  brokers: readonly string[],
  prefix: string,
  recordsPerCodec: number,
): Promise<Map<string, SeenRecord[]>> {
  const args = ['-XX:TieredStopAtLevel=1', '-Dorg.slf4j.simpleLogger.defaultLogLevel=error', '-cp', `${jarFolder()}/*`]
  const { stdout } = await run('java', [...args, program, brokers.join(','), prefix, String(recordsPerCodec)], {
    maxBuffer: 1 << 28,
  })
  const topics = new Map<string, SeenRecord[]>()
  for (const line of stdout.split('\n')) {
    const [topic, , offset, timestamp, key, value] = line.split('\t')
    if (topic === undefined || value === undefined) continue
    const records = topics.get(topic) ?? []
    topics.set(topic, records)
    const orNull = (hex: string | undefined) => (hex === undefined || hex === '-' ? null : hex)
    records.push({ offset: Number(offset), timestamp: Number(timestamp), key: orNull(key), value: orNull(value) })
  }
  for (const records of topics.values()) records.sort((left, right) => left.offset - right.offset)
  return topics
}
