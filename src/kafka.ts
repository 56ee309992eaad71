import './runtime/checkNode.ts'

export { type KafkaAdmin, openKafkaAdmin } from './sources/kafka/admin.ts'
export { type KafkaSettings, type KafkaSettingsInput, kafkaSettings } from './sources/kafka/kafkaSettings.ts'
export { openKafkaLog } from './sources/kafka/openKafkaLog.ts'
export { type KafkaTopicsOptions, kafkaTopics } from './sources/kafka/producer/kafkaTopics.ts'
export type { KafkaWriter } from './sources/kafka/producer/kafkaWriter.ts'
export { openKafkaWriter } from './sources/kafka/producer/openKafkaWriter.ts'
