import type { Observable } from 'rxjs'
import type { Batch } from '../batch.ts'
import type { Destination, OutgoingMessage } from '../log/destination.ts'
import type { AnyTopic } from '../log/topic.ts'
import type { RowText, Table } from '../store/table.ts'
import type { Withdrawn } from '../withdrawn.ts'

/**
 * An end of a stream in a pipeline: `toPostgres`, `toTopic`, `toWebhook`, `toDestination` and `toArchive` make them. Rows and messages are stored in the transaction of the
 * next checkpoint.
 */
export type Outlet<T> = RowsOutlet<T> | MessagesOutlet<T> | ArchiveOutlet

/**
 * Rows for a table.
 *
 * Made by `toPostgres`, which is where the row type of the stream and of the table must agree; here the table's is no longer told.
 */
export interface RowsOutlet<Row> {
  readonly kind: 'rows'
  /** Where the rows go. */
  readonly table: Table<never>
  /** Single rows and what takes rows back, or batches of them. */
  readonly values: Observable<Row | Withdrawn<Row> | Batch<Row | Withdrawn<Row>>>
  /** Gives the row as it will be written, or what of it says which row is taken back. Throws `BadRowError` on one that the table cannot hold, which is set aside as `bad-row`. */
  readonly render?: (row: never) => RowText
  /** Where the lake has the table as well: as what. */
  readonly lake?: LakeCopy
}

/** A table of the lake that follows one of PostgreSQL: a column each, of the same names. */
export interface LakeCopy {
  /** The part of the lake that it is in. */
  readonly namespace: string
  /** Without the namespace. */
  readonly name: string
  /** With the lake's types. */
  readonly columns: readonly { readonly name: string; readonly type: string; readonly isOptional: boolean }[]
  /** The columns that tell one row from another. */
  readonly key: readonly string[]
  /** The column by whose day (UTC) its files are cut; null where they are not. */
  readonly day: string | null
}

/** Messages, stored with the checkpoint and sent afterwards, in order. */
export interface MessagesOutlet<T> {
  readonly kind: 'messages'
  /** Single values and what takes values back, or batches of them. */
  readonly values: Observable<T | Withdrawn<T> | Batch<T | Withdrawn<T>>>
  /** Bytes of a value, free of everything else. What it throws sets the value aside as `bad-message`, unless it is an error of ours or the pipeline says `onError: 'stop'`. */
  readonly encode: (value: never) => OutgoingMessage
  /** Who takes them. */
  readonly to: MessageTarget
  /** True where markers are written among them that tell how far the time of the task is. */
  readonly markers?: boolean
}

/**
 * Where messages go: a `topic` of the log that the runner has, or what the pipeline brings itself under a `name`; each life of a task calls `open` once and closes what it gives. `codecs` are those of a topic that
 * was given as a value, by which the test kit reads the messages again.
 */
export type MessageTarget =
  | { readonly kind: 'topic'; readonly topic: string; readonly codecs?: AnyTopic }
  | { readonly kind: 'destination'; readonly name: string; readonly open: () => Destination }

/** The raw records of an input, whatever `build` gets of it. */
export interface ArchiveOutlet {
  readonly kind: 'archive'
  /** The stream of the input, as `build` got it. */
  readonly values: Observable<unknown>
}
