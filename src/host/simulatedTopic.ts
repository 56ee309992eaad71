import { ConfigurationError } from '../runtime/errors.ts'
import type { Feed } from '../runtime/log/feed.ts'

/** Whether a topic is one of invented records, by its name. */
export function isSimulatedTopic(topic: string): boolean {
  return topic.includes('simulated')
}

/**
 * Keeps invented records out of every topic that is not theirs by its name, whichever log, schema or program would take them.
 * @throws ConfigurationError
 */
export function requireFitTopic({ name, isSimulated = false }: Feed, topic: string): void {
  if (!isSimulated || isSimulatedTopic(topic)) return
  throw new ConfigurationError(
    `feed ${name} invents its records, and topic ${topic} is not one of invented ones: they only go into a topic with "simulated" in its name, such as crypto.trades.simulated.raw`,
    { topic },
  )
}
