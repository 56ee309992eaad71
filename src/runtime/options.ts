import { ConfigurationError } from './errors.ts'
import { suggest } from './suggest.ts'

/** What one option must be. Looked at when an operator is built, and never again. */
export interface OptionRule<Needed extends boolean = boolean> {
  readonly isNeeded: Needed
  /** In words, as they stand behind "must be". */
  readonly allowed: string
  /** What is wrong with a value that was given, as it goes on behind the option's name; null where nothing is. */
  readonly misfit: (value: unknown) => string | null
}

/** A rule for each option of an interface: where one is missing, or calls optional what is not, it does not compile. */
export type OptionRules<O> = {
  readonly [K in keyof O]-?: Record<never, never> extends Pick<O, K> ? OptionRule<false> : OptionRule<true>
}

type AnyRules = Readonly<Record<string, OptionRule>>
type Kind = Omit<OptionRule, 'isNeeded'>

/**
 * Holds the options that an operator was given to its rules: JavaScript may give anything, and what is left out or misspelled would show at the first value, or never.
 * @param operator as it is called in code, such as `keyed`
 * @throws ConfigurationError that names the operator and the option, and for an unknown option the one that was probably meant
 */
export function checkOptions(operator: string, given: unknown, rules: AnyRules): void {
  if (!isRecord(given)) {
    const needs = Object.entries(rules).flatMap(([option, { isNeeded }]) => (isNeeded ? [option] : []))
    const with_ = needs.length === 0 ? '' : ` with ${listed(needs)}`
    throw new ConfigurationError(`${operator}: its options must be an object${with_}, got ${kindOf(given)}.`)
  }
  const { name } = given
  const title = typeof name === 'string' && name !== '' && name !== operator ? `${operator} '${name}'` : operator
  const misfit = misfitOf(given, rules, title, 'option')
  if (misfit !== null) throw new ConfigurationError(`${misfit}.`)
}

/**
 * Holds an argument that stands by itself to a rule.
 * @param which says its place and what it is, as in "its first argument, the other stream,"
 * @throws ConfigurationError that names the operator and the argument
 */
export function checkArgument(operator: string, which: string, value: unknown, rule: OptionRule): void {
  if (value === undefined && !rule.isNeeded) return
  const misfit = rule.misfit(value)
  if (misfit !== null) throw new ConfigurationError(`${operator}: ${which}${misfit}.`)
}

/**
 * Refuses a name that nobody knows.
 * @param title stands before it, as in "keyed 'silence'"
 * @param what the names are, as in "option"
 * @throws ConfigurationError that says which name was probably meant, and all there are
 */
export function refuseUnknown(title: string, what: string, given: object, known: readonly string[]): void {
  const unknown = unknownIn(title, what, given, known)
  if (unknown !== null) throw new ConfigurationError(`${unknown}.`)
}

/**
 * Holds what a function has made to what its maker is for: an object with some methods, the others left out.
 * @param what stands before it, as in "stateful 'silence': its logic"
 * @throws ConfigurationError on what is no such object, on methods that are asynchronous, and on a misspelled one
 */
export function checkMethods(what: string, made: unknown, wanted: readonly string[], all: readonly string[]): void {
  const misfit = methods(`an object with ${listed(wanted)}`, wanted).misfit(made)
  if (misfit !== null) throw new ConfigurationError(`${what}${misfit}.`)
  for (const [name, member] of Object.entries(made as object)) {
    if (typeof member !== 'function') continue
    const unusual = functionKind(member)
    if (unusual !== null && all.includes(name)) {
      throw new ConfigurationError(`${what}.${name}${mustBe('a function that gives its result at once', unusual)}.`)
    }
    const near = all.includes(name) ? '' : suggest(name, all)
    if (near !== '') throw new ConfigurationError(`${what}: nobody calls ${name}${near}; there are ${all.join(', ')}.`)
  }
}

/** Rules for options that must be given. */
export const needed = rulesOf(true)

/** Rules for options that may be left out. */
export const optional = rulesOf(false)

function rulesOf<Needed extends boolean>(isNeeded: Needed) {
  const rule = (kind: Kind): OptionRule<Needed> => ({ isNeeded, ...kind })
  return {
    /** Text of at least one character. */
    text: rule(kind('text that is not empty', (value) => typeof value === 'string' && value !== '')),
    /** A function of which the result is taken at once, so that it must not be asynchronous. */
    callback: rule({
      allowed: 'a function',
      misfit: (value) => {
        if (typeof value !== 'function') return mustBe('a function', shown(value))
        const unusual = functionKind(value)
        return unusual === null ? null : mustBe('a function that gives its result at once', unusual)
      },
    }),
    /** A function that may be asynchronous. */
    anyFunction: rule(kind('a function', (value) => typeof value === 'function')),
    number: rule(kind('a number', (value) => typeof value === 'number')),
    /** Of the type of a duration; `durationMs` says whether it is one. */
    duration: rule(
      kind(
        "ms, or text of a number and ms, s, m, h or d such as '5m'",
        (value) => typeof value === 'number' || typeof value === 'string',
      ),
    ),
    flag: rule(kind('true or false', (value) => typeof value === 'boolean')),
    list: rule(kind('an array', Array.isArray)),
    stream: rule(kind('an Observable', isStream)),
    /** How values are saved, a `StateCodec`. */
    stateCodec: rule(methods('an object with encode and decode', ['encode', 'decode'])),
    /** How records are read, a `Codec`. */
    codec: rule(codecKind()),
    signal: rule(kind('an AbortSignal', (value) => value instanceof AbortSignal)),
    /** Any object that is no array; its strings are not shown. */
    record: rule({
      allowed: 'an object',
      misfit: (value) => (isRecord(value) ? null : mustBe('an object', kindOf(value))),
    }),
    /** An object that has these methods. */
    having: (allowed: string, names: readonly string[]) => rule(methods(allowed, names)),
    /** What a check of one's own finds right. */
    such: (allowed: string, isAllowed: (value: unknown) => boolean) => rule(kind(allowed, isAllowed)),
    /** One of some texts. */
    oneOf: (...values: readonly string[]) => {
      const texts = values.map((value) => `'${value}'`)
      return rule(kind(listed(texts, 'or'), (value) => values.includes(value as string)))
    },
    /** An object with options of its own; its strings are not shown. */
    object: (rules: AnyRules) =>
      rule({
        allowed: `an object with ${listed(Object.keys(rules))}`,
        misfit: (value) => {
          if (!isRecord(value)) return mustBe(`an object with ${listed(Object.keys(rules))}`, kindOf(value))
          return misfitOf(value, rules, '', 'option')
        },
      }),
  }
}

/** @param title stands before what is told; empty where the name of an option stands there already */
function misfitOf(
  given: Readonly<Record<string, unknown>>,
  rules: AnyRules,
  title: string,
  what: string,
): string | null {
  const unknown = unknownIn(title, what, given, Object.keys(rules))
  if (unknown !== null) return unknown
  for (const [option, { isNeeded, allowed, misfit }] of Object.entries(rules)) {
    const value = given[option]
    const place = title === '' ? `.${option}` : `${title}: ${option}`
    if (value === undefined) {
      if (isNeeded) return `${place} is missing; it must be ${allowed}`
      continue
    }
    const found = misfit(value)
    if (found !== null) return place + found
  }
  return null
}

function unknownIn(title: string, what: string, given: object, known: readonly string[]): string | null {
  const unknown = Object.keys(given).find((name) => !known.includes(name))
  if (unknown === undefined) return null
  return `${title}: there is no ${what} ${unknown}${suggest(unknown, known)}; there are ${known.join(', ')}`
}

function kind(allowed: string, isAllowed: (value: unknown) => boolean): Kind {
  return { allowed, misfit: (value) => (isAllowed(value) ? null : mustBe(allowed, shown(value))) }
}

/** None of the methods may be asynchronous. */
function methods(allowed: string, names: readonly string[]): Kind {
  return {
    allowed,
    misfit: (value) => {
      if (typeof value !== 'object' || value === null) return mustBe(allowed, kindOf(value))
      for (const name of names) {
        const method = (value as Readonly<Record<string, unknown>>)[name]
        if (typeof method !== 'function')
          return mustBe(allowed, isStream(value) ? kindOf(value) : `an object without ${name}`)
        const unusual = functionKind(method)
        if (unusual !== null) return `.${name}${mustBe('a function that gives its result at once', unusual)}`
      }
      return null
    },
  }
}

/** A schema of zod has a `decode` as well, of something else. */
function codecKind(): Kind {
  const decoders = methods('a codec, such as jsonCodec(…)', ['decode'])
  return {
    allowed: decoders.allowed,
    misfit: (value) =>
      typeof value === 'object' && value !== null && '_zod' in value
        ? mustBe(decoders.allowed, 'a schema of zod: jsonCodec(schema) makes one of it')
        : decoders.misfit(value),
  }
}

function mustBe(allowed: string, got: string): string {
  return ` must be ${allowed}, got ${got}`
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !isStream(value)
}

/** RxJS may be there twice, so its class does not say it. */
function isStream(value: unknown): boolean {
  return (
    typeof value === 'object' &&
    value !== null &&
    typeof (value as { subscribe?: unknown }).subscribe === 'function' &&
    typeof (value as { pipe?: unknown }).pipe === 'function'
  )
}

const functionKinds: Readonly<Record<string, string>> = {
  '[object AsyncFunction]': 'an async function (mapAsync is for asynchronous work)',
  '[object AsyncGeneratorFunction]': 'an async generator function',
  '[object GeneratorFunction]': 'a generator function',
}

/** What kind of function it is that gives something else than its result; null for an ordinary one. */
function functionKind(value: object): string | null {
  return functionKinds[Object.prototype.toString.call(value)] ?? null
}

/** A value in the words of a message. */
function shown(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value.slice(0, 100))
  if (typeof value === 'number' || typeof value === 'bigint' || typeof value === 'boolean') return String(value)
  return kindOf(value)
}

/** What a value is, and nothing of what it holds. */
function kindOf(value: unknown): string {
  if (value === undefined || value === null) return String(value)
  if (typeof value === 'function') return functionKind(value) ?? 'a function'
  if (Array.isArray(value)) return 'an array'
  if (isStream(value)) return 'an Observable'
  if (value instanceof Promise) return 'a promise'
  if (typeof value === 'object') {
    const names = Object.keys(value)
    return names.length === 0 || names.length > 12 ? 'an object' : `an object with ${listed(names)}`
  }
  return typeof value === 'string' ? 'text' : `a ${typeof value}`
}

function listed(words: readonly string[], joint: 'and' | 'or' = 'and'): string {
  return words.length < 2 ? words.join('') : `${words.slice(0, -1).join(', ')} ${joint} ${words.at(-1)}`
}
