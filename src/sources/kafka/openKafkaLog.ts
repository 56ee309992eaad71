import type { LogSource } from '../../runtime/log/log.ts'
import type { KafkaSettings, KafkaTopicGroup } from './kafkaSettings.ts'

/** Opens a topic through the client that the settings choose, which is loaded then. Errors are those of `openWireLog` and `openKafkajsLog`. */
export async function openKafkaLog(settings: KafkaSettings, place: KafkaTopicGroup): Promise<LogSource> {
  if (settings.client === 'kafkajs') return (await import('./kafkajs/kafkajsLog.ts')).openKafkajsLog(settings, place)
  return (await import('./wire/wireLog.ts')).openWireLog(settings, place)
}
