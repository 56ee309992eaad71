import type { HostSettings } from '../host/hostSettings.ts'
import { s3Access } from '../host/s3Access.ts'
import type { CommandContext } from './commandContext.ts'
import { kafkaConnection } from './kafkaConnection.ts'

/** What the command line and the environment say of a run, as the host wants it. */
export function hostSettingsOf({ settings, origins, env }: CommandContext, schema: string): HostSettings {
  return {
    dataDir: settings.dataDir,
    databaseUrl: settings.databaseUrl,
    schema,
    kafka: kafkaConnection(settings),
    group: settings.group,
    workerId: settings.workerId,
    topics: {
      partitions: origins.partitions === 'default' ? null : settings.partitions,
      logRetentionHours: settings.logRetentionHours,
      kafkaRetentionHours: settings.kafkaRetentionHours,
      kafkaReplication: settings.kafkaReplication ?? null,
    },
    archive: { place: settings.archive, s3: s3Access(env, settings.s3PathStyle) },
    startFrom: settings.startFrom ?? null,
    limits: {
      checkpointIntervalMs: settings.checkpointMs,
      maxRecordBytes: settings.maxRecordBytes,
      maxRecordResults: settings.maxRecordResults,
      maxRecordResultBytes: settings.maxRecordResultBytes,
      maxLetterBytes: settings.maxLetterBytes,
    },
  }
}
