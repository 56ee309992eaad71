import { OperatorError } from '../errors.ts'
import type { OperatorSpec } from './operator.ts'

type Named = Pick<OperatorSpec, 'name'>

/** An operator needs a time, and the value has none. */
export function noTime({ name }: Named): OperatorError {
  return new OperatorError(
    `${name}: no eventTime above it, so it does not know the time. Put eventTime({ of, maxOutOfOrdernessMs }) before it, with only ` +
      'synchronous operators between (mapAsync must stand above eventTime, and so must batchFlush: they let go at checkpoints, when time has gone on).',
  )
}

/** Markers would come before values that were there first. @param loose lets values go at checkpoints */
export function overtaken({ name }: Named, loose: string | undefined): OperatorError {
  return new OperatorError(
    `${name}: ${loose} above it lets values go at checkpoints, and markers would overtake them. Put ${loose} below the last window, or above the toTopic of the hop.`,
  )
}

/** Values meet in an order that is chance. */
export function mixed({ name }: Named, loose: string | undefined): OperatorError {
  return new OperatorError(
    `${name}: values that ${loose} lets go at checkpoints meet others here, in an order that a replay does not repeat. ` +
      `Merge above ${loose}, or end the two streams in outlets of their own.`,
  )
}

/** What moves time comes with records, and what goes by it at checkpoints, or the other way round. */
export function timedAcross({ name }: Named, loose: string | undefined): OperatorError {
  return new OperatorError(
    `${name}: ${loose} lets values go at checkpoints, and stands above an eventTime but not above all that moves time or goes by it (a table with ttlMs, the eventTime of another input), so what comes before time has moved, and what after, would not be repeated by a replay. ` +
      `Put ${loose} above all of them, or below.`,
  )
}

/** What reads a table comes with records, and what is in it at checkpoints, or the other way round. */
export function metAcross({ name }: Named, loose: string | undefined): OperatorError {
  return new OperatorError(
    `${name}: ${loose} lets values go at checkpoints on one side of the join and not on the other, so which rows a value finds would not be repeated by a replay. ` +
      `Put ${loose} below the join.`,
  )
}
