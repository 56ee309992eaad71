import { ConfigurationError, CorruptRecordError, MillraceError } from '../errors.ts'

/** Of which pipeline and input, for a command that a person may copy. */
export interface SkipPlace {
  readonly pipeline: string
  readonly topic: string
  readonly partition: number
}

/** The command that goes on behind offsets that cannot be read or are no longer there. */
export function skipCommand(
  what: 'skip' | 'accept-loss',
  { pipeline, topic, partition }: SkipPlace,
  fromOffset: number,
  toOffset: number | undefined,
): string {
  const to = toOffset ?? 'N'
  return `millrace offsets ${what} --pipeline ${pipeline} --topic ${topic} --partition ${partition} --from-offset ${fromOffset} --to-offset ${to} --because "why" --yes`
}

/** The command that takes back what was decided and cannot be followed. */
export function takeBackCommand({ pipeline, topic, partition }: SkipPlace): string {
  return `millrace offsets unskip --pipeline ${pipeline} --topic ${topic} --partition ${partition} --yes`
}

/** What cannot be read ends every start at the same place: the error with the command that goes on behind it. Other errors are given back. */
export function withSkipRemedy(error: unknown, place: SkipPlace): unknown {
  if (!(error instanceof MillraceError) || error.offset === undefined) return error
  const { message, offset, nextOffset } = error
  const where = nextOffset === undefined ? ', where N is the first offset behind it' : ''
  const told = `${message} To leave it out for good: ${skipCommand('skip', place, offset, nextOffset)}${where}.`
  const options = { ...place, offset, ...(nextOffset === undefined ? {} : { nextOffset }), cause: error }
  if (error instanceof CorruptRecordError) return new CorruptRecordError(told, options)
  return error instanceof ConfigurationError && nextOffset !== undefined ? new ConfigurationError(told, options) : error
}
