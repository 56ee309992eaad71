import { protocolErrorName } from './errorNames.ts'

/** An error code in an answer. */
export class Refusal extends Error {
  override readonly name = 'Refusal'
  /** The protocol's name of the code. */
  readonly apiId: string

  /** @param said what the broker has added in words, if it has */
  constructor(code: number, said: string | null = null) {
    const apiId = protocolErrorName(code)
    super(`The broker answered ${apiId}${said === null || said === '' ? '' : `: ${said}`}`)
    this.apiId = apiId
  }
}

/** Collects the error codes of an answer about several things. */
export class Refusals {
  readonly #found: Refusal[] = []

  /** Notes the code, unless it is none. */
  note(code: number, said: string | null = null): void {
    if (code !== 0) this.#found.push(new Refusal(code, said))
  }

  /** Throws what was noted. */
  check(): void {
    const [first] = this.#found
    if (first === undefined) return
    throw this.#found.length === 1 ? first : new AggregateError(this.#found, first.message)
  }
}

/** Throws a `Refusal` unless the code is none. */
export function requireNone(code: number, said: string | null = null): void {
  if (code !== 0) throw new Refusal(code, said)
}
