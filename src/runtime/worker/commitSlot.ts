import { sleptEnough } from '../clock.ts'

/** Room for one commit under way. Its failure is kept until somebody asks, so that it is neither lost nor unhandled. */
export class CommitSlot {
  #underWay: Promise<void> | null = null
  #over: AbortController | null = null
  #failure: { readonly error: unknown } | null = null

  get isFree(): boolean {
    return this.#underWay === null
  }

  /** Fires when the commit under way is over, however it ends; null where there is none. */
  get over(): AbortSignal | null {
    return this.#over?.signal ?? null
  }

  start(commit: Promise<void>): void {
    this.#over = new AbortController()
    this.#underWay = commit.then(
      () => this.#end(),
      (error: unknown) => {
        this.#failure = { error }
        this.#end()
      },
    )
  }

  /** Throws what the last commit failed with. */
  check(): void {
    if (this.#failure !== null) throw this.#failure.error
  }

  /** Resolves when no commit is under way; rejects with what it failed with. */
  async wait(): Promise<void> {
    await this.#underWay
    this.check()
  }

  #end(): void {
    const over = this.#over
    this.#underWay = null
    this.#over = null
    over?.abort(sleptEnough)
  }
}
