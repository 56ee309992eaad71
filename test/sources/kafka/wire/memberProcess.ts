import { type KafkaSettingsInput, kafkaSettings } from '../../../../src/sources/kafka/kafkaSettings.ts'
import { openKafkaLog } from '../../../../src/sources/kafka/openKafkaLog.ts'

/** A member of a group in a process of its own, to be killed. Says on stdout what it is given and what it lets go or has lost. */
const { settings, topic, group } = JSON.parse(process.argv[2]!) as {
  settings: KafkaSettingsInput
  topic: string
  group: string
}
const source = await openKafkaLog(kafkaSettings(settings), { topic, group })
await source.join({
  onAssign: (partitions) => console.log(`+${partitions}`),
  onRevoke: async (partitions) => console.log(`-${partitions}`),
  onLost: async (partitions) => console.log(`~${partitions}`),
  onFailed: (error) => console.log(`!${error.message}`),
})
