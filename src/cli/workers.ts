import { UsageError } from './exit.ts'
import type { SettingValues } from './settings.ts'

/** Throws `UsageError` where so many workers cannot share the work. */
export function checkWorkers({ workers, kafkaBrokers, untilEnd }: SettingValues): void {
  if (workers === 1) return
  if (kafkaBrokers === undefined)
    throw new UsageError(`--workers ${workers} needs Kafka to share the partitions: set KAFKA_BROKERS.`)
  if (untilEnd)
    throw new UsageError(
      '--until-end is for one worker, because the end of a topic is found by the one process that has all of its partitions: leave --workers out, or leave --until-end out and stop by Ctrl-C.',
    )
}

/** Said by every command that runs a pipeline. */
export const closeOpenNeedsUntilEnd = '--close-open is only allowed together with --until-end.'
