import { ConfigurationError } from '../runtime/errors.ts'
import type { Codec } from '../runtime/log/codec.ts'
import type { Topic } from '../runtime/log/topic.ts'
import { checkArgument, checkOptions, needed, type OptionRules, optional } from '../runtime/options.ts'

/** The codecs of a topic: of its values, and of its keys where they are more than bytes. */
export interface TopicCodecs<V extends Codec<unknown>, K extends Codec<unknown> | undefined> {
  readonly value: V
  readonly key?: K
}

const rules: OptionRules<TopicCodecs<Codec<unknown>, Codec<unknown>>> = { value: needed.codec, key: optional.codec }

/**
 * A topic that is described once and shared by all that read it or append to it, so that they agree on its name, its keys and its values.
 * @throws ConfigurationError on a name that Kafka would refuse: letters, digits, `.`, `_` and `-`, from 1 to 249 of them, and neither `.` nor `..`
 */
export function topic<V extends Codec<unknown>, K extends Codec<unknown> | undefined = undefined>(
  name: string,
  codecs: TopicCodecs<V, K>,
): Topic<V, K> {
  checkArgument(
    'topic',
    'its first argument, the name,',
    name,
    needed.such('text', (given) => typeof given === 'string'),
  )
  checkOptions(`topic '${name.slice(0, 300)}'`, codecs, rules)
  if (!/^(?!\.{1,2}$)[\w.-]{1,249}$/.test(name)) {
    throw new ConfigurationError(
      `topic: a name has 1 to 249 letters, digits, dots, dashes and underscores and is not '.' or '..', got ${JSON.stringify(name.slice(0, 300))}`,
    )
  }
  return { name, value: codecs.value, key: codecs.key as K }
}
