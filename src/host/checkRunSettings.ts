import { ConfigurationError } from '../runtime/errors.ts'
import { refuseUnknown } from '../runtime/options.ts'
import { defaultLimits } from '../runtime/task/workerLimits.ts'
import { parseDatabaseUrl } from '../sinks/postgres/databaseUrl.ts'
import { archivePlaceAllowed, isArchivePlace } from './archivePlace.ts'
import { isSchemaName, schemaNameAllowed } from './databaseNames.ts'
import {
  groupNameAllowed,
  groupNamePattern,
  runNameAllowed,
  runNamePattern,
  topicNameAllowed,
  topicNamePattern,
} from './runNames.ts'
import type { RunPipelineSettings } from './runPipeline.ts'

/** Every setting there is; one that is missing here does not compile. */
const known: Readonly<Record<keyof RunPipelineSettings, true>> = {
  dataDir: true,
  databaseUrl: true,
  schema: true,
  kafka: true,
  group: true,
  workerId: true,
  topic: true,
  partitions: true,
  archive: true,
  s3: true,
  from: true,
  feed: true,
  untilEnd: true,
  closeOpen: true,
  signal: true,
  limits: true,
  onStatus: true,
  onNotice: true,
}

/** Holds the settings of a program to what the command holds its own to. Throws `ConfigurationError`, which shows no secret. */
export function checkRunSettings(settings: RunPipelineSettings): void {
  const { databaseUrl, schema, partitions, archive, closeOpen = false, untilEnd = false } = settings
  refuseUnknown('runPipeline', 'setting', settings, Object.keys(known))
  refuseUnknown('runPipeline', 'limit', settings.limits ?? {}, Object.keys(defaultLimits))
  if (databaseUrl !== undefined) checkDatabaseUrl(databaseUrl)
  if (schema !== undefined && !isSchemaName(schema)) {
    throw new ConfigurationError(
      `runPipeline: schema ${JSON.stringify(schema)} is not allowed; allowed: ${schemaNameAllowed}.`,
    )
  }
  if (partitions !== undefined && !(Number.isInteger(partitions) && partitions >= 1 && partitions <= 256)) {
    throw new ConfigurationError(
      `runPipeline: partitions ${partitions} is not allowed; allowed: a whole number from 1 to 256.`,
    )
  }
  if (archive !== undefined && !isArchivePlace(archive)) {
    throw new ConfigurationError(
      `runPipeline: archive ${JSON.stringify(archive)} is not allowed; allowed: ${archivePlaceAllowed}.`,
    )
  }
  const { workerId, group, topic } = settings
  refuseOther('workerId', workerId, runNamePattern, runNameAllowed)
  refuseOther('group', group, groupNamePattern, groupNameAllowed)
  refuseOther('topic', topic, topicNamePattern, topicNameAllowed)
  if (closeOpen && !untilEnd) throw new ConfigurationError('runPipeline: closeOpen is only for untilEnd; set both.')
}

function refuseOther(what: string, text: string | undefined, pattern: RegExp, allowed: string): void {
  if (text === undefined || (typeof text === 'string' && pattern.test(text))) return
  throw new ConfigurationError(`runPipeline: ${what} ${JSON.stringify(text)} is not allowed; allowed: ${allowed}.`)
}

function checkDatabaseUrl(text: string): void {
  try {
    parseDatabaseUrl(text)
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error
    throw new ConfigurationError(`runPipeline: databaseUrl is ${error.message}.`, { cause: error })
  }
}
