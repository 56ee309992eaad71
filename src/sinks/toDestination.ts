import type { Observable } from 'rxjs'
import type { Batch } from '../runtime/batch.ts'
import type { Destination, OutgoingMessage } from '../runtime/destination.ts'
import type { MessagesOutlet } from '../runtime/outlet.ts'

/** A destination of one's own. */
export interface OwnDestination<T> {
  /** What status and errors call it. */
  readonly name: string
  /** Bytes of a value, free of everything else: a replay has to give the same. */
  readonly encode: (value: T) => OutgoingMessage
  /** Called once in each life of a task, which closes what it gives. */
  readonly open: () => Destination
}

/**
 * Ends a stream of a pipeline in a destination of one's own: its messages are stored in the transaction of the checkpoint and sent right after it, in order.
 *
 * A destination that keeps the place together with the messages gets each once; one that cannot gets each at least once, with an id by which it can tell a repeat. None gets one that
 * was not committed. A value that cannot be encoded is set aside as `bad-message`. Kept meanwhile: in the database what is not sent yet, up to `maxWaitingMessages` a task and
 * outlet, after which the task waits.
 */
export function toDestination<T>(
  values: Observable<T | Batch<T>>,
  { name, encode, open }: OwnDestination<NoInfer<T>>,
): MessagesOutlet<T> {
  return { kind: 'messages', values, encode, to: { kind: 'destination', name, open } }
}
