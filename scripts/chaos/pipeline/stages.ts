import { embeddedStage } from './embeddedStage.ts'
import type { KafkaClient, Stage, StageOptions } from './stage.ts'

/** A stage on Kafka with that client, or on the embedded log where it is null. */
export async function openStage(kafka: KafkaClient | null, options: Omit<StageOptions, 'client'>): Promise<Stage> {
  if (kafka === null) return embeddedStage(options)
  const { kafkaStage } = await import('./kafkaStage.ts')
  return kafkaStage({ ...options, client: kafka })
}
