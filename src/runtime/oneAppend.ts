import { ConfigurationError } from './errors.ts'

/** Holds the appends of a writer to one at a time: a second one could neither be ordered behind the first nor know whether that was stored. */
export class OneAppend {
  readonly #topic: string
  #isUnderWay = false

  constructor(topic: string) {
    this.#topic = topic
  }

  /** Throws `ConfigurationError` while another append is under way, which goes on undisturbed. */
  async run(append: () => Promise<void>): Promise<void> {
    if (this.#isUnderWay) {
      throw new ConfigurationError(
        `A writer of ${this.#topic} was told to append while another append of it is under way: wait for each append before the next, or open a writer of its own.`,
        { topic: this.#topic },
      )
    }
    this.#isUnderWay = true
    try {
      await append()
    } finally {
      this.#isUnderWay = false
    }
  }
}
