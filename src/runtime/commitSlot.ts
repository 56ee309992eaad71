/** Room for one commit under way. Its failure is kept until somebody asks, so that it is neither lost nor unhandled. */
export class CommitSlot {
  #underWay: Promise<void> | null = null
  #failure: { readonly error: unknown } | null = null

  get isFree(): boolean {
    return this.#underWay === null
  }

  start(commit: Promise<void>): void {
    this.#underWay = commit.then(
      () => {
        this.#underWay = null
      },
      (error: unknown) => {
        this.#underWay = null
        this.#failure = { error }
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
}
