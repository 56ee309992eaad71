import { ConfigurationError } from '../errors.ts'

/** A record is larger than its topic takes: a person raises the limit, or it is set aside where something can be. */
export class RecordTooLargeError extends ConfigurationError {}
