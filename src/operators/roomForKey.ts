import { ConfigurationError } from '../runtime/errors.ts'

/**
 * Makes sure that there is room for one more key.
 * @param name of the operator
 * @throws ConfigurationError where there is none, which ends the task with nothing lost
 */
export function roomForKey(name: string, keys: number, maxKeys: number): void {
  if (keys < maxKeys) return
  throw new ConfigurationError(
    `${name}: it holds ${keys} keys, as many as maxKeys allows, and another one has come. Raise maxKeys and start again: nothing is lost, it goes on there.`,
  )
}
