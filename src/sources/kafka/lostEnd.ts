import { type ErrorPlace, OffsetOutOfRangeError } from '../../runtime/errors.ts'

/** The log ends, under the leader that wrote them, below records that were read: a leader that had not all of them was elected meanwhile. */
export function lostEnd(
  place: Required<Pick<ErrorPlace, 'topic' | 'partition' | 'offset'>>,
  end: number,
): OffsetOutOfRangeError {
  const { topic, partition, offset } = place
  return new OffsetOutOfRangeError(
    `${topic}/${partition}: the log lost its end at offset ${end}, and records up to ${offset - 1} had been read. ` +
      'What is there now may be other records. Start again: the start says how to go on.',
    place,
  )
}
