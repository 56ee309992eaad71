import type { Observable } from 'rxjs'
import type { Batch } from '../runtime/batch.ts'
import type { Destination, OutgoingMessage } from '../runtime/log/destination.ts'
import { checkArgument, checkOptions, needed, type OptionRules } from '../runtime/options.ts'
import type { MessagesOutlet } from '../runtime/pipeline/outlet.ts'

/** A destination of one's own. */
export interface OwnDestination<T> {
  /** What status and errors call it. */
  readonly name: string
  /** Bytes of a value, free of everything else: a replay has to give the same. */
  readonly encode: (value: T) => OutgoingMessage
  /** Called once in each life of a task, which closes what it gives. */
  readonly open: () => Destination
}

const rules: OptionRules<OwnDestination<never>> = {
  name: needed.text,
  encode: needed.callback,
  open: needed.callback,
}

/**
 * Ends a stream of a pipeline in a destination of one's own: its messages are stored in the transaction of the checkpoint and sent right after it, in order.
 *
 * A destination that keeps the place together with the messages gets each once; one that cannot gets each at least once, with an id by which it can tell a repeat. None gets one that
 * was not committed. A value that cannot be encoded is set aside as `bad-message`. Kept meanwhile: in the database what is not sent yet, up to `maxWaitingMessages` a task and
 * outlet, after which the task waits.
 * @throws ConfigurationError on what cannot be used
 */
export function toDestination<T>(
  values: Observable<T | Batch<T>>,
  destination: OwnDestination<NoInfer<T>>,
): MessagesOutlet<T> {
  checkArgument('toDestination', 'its first argument, the values,', values, needed.stream)
  checkOptions('toDestination', destination, rules)
  const { name, encode, open } = destination
  return { kind: 'messages', values, encode, to: { kind: 'destination', name, open } }
}
