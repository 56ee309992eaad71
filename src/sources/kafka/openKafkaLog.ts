import type { LogSource } from '../../runtime/log.ts'
import { openKafkajsLog } from './kafkajs/kafkajsLog.ts'
import type { KafkaSettings, KafkaTopicGroup } from './kafkaSettings.ts'
import { openWireLog } from './wire/wireLog.ts'

/** Opens a topic through the client that the settings choose. Errors are those of `openWireLog` and `openKafkajsLog`. */
export function openKafkaLog(settings: KafkaSettings, place: KafkaTopicGroup): Promise<LogSource> {
  return settings.client === 'kafkajs' ? openKafkajsLog(settings, place) : openWireLog(settings, place)
}
