import type { Codec } from './codec.ts'

/** A topic by its name, with the codecs of what is in it. Without a `key` the keys are bytes. */
export interface Topic<V extends Codec<unknown>, K extends Codec<unknown> | undefined = undefined> {
  /** What the log calls it. */
  readonly name: string
  readonly value: V
  readonly key: K
}

/** Any topic, whatever is in it. */
export type AnyTopic = Topic<Codec<unknown>, Codec<unknown> | undefined>

/** The type of the values that a codec makes. */
export type ValueOf<C extends Codec<unknown>> = C extends Codec<infer T> ? T : never
