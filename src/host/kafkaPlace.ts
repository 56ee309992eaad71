import { createHash } from 'node:crypto'
import { hostname } from 'node:os'
import { resolve } from 'node:path'
import type { KafkaSettings } from '../sources/kafka/kafkaSettings.ts'
import type { HostSettings } from './hostSettings.ts'

/** In words for people; holds no secret. */
export function kafkaLocation({ brokers }: Pick<KafkaSettings, 'brokers'>): string {
  return `Kafka at ${brokers.join(', ')}`
}

/** The same after a restart, and another one for another data folder or host. */
export function workerIdOf({ workerId, dataDir }: Pick<HostSettings, 'workerId' | 'dataDir'>): string {
  if (workerId !== undefined) return workerId
  const folder = createHash('sha256').update(resolve(dataDir)).digest('hex').slice(0, 6)
  return `${hostname().replace(/[^a-zA-Z0-9._-]/g, '-')}-${folder}`
}

/** The group that is meant, or the pipeline's own on the topic that leads. */
export function groupOf(group: string | undefined, pipeline: string, topic: string): string {
  return group ?? `millrace.${pipeline}.${topic}`
}

/** How long a partition that another process claimed may stay with it before the owner by the group's word claims it back. */
export function reclaimAfterMs({ sessionTimeoutMs }: KafkaSettings): number {
  return 2 * sessionTimeoutMs
}
