import type { DeadLetter } from '../store/checkpoint.ts'
import { AwaitingCut } from './awaitingCut.ts'
import { letterBytes, type Origin, type Rejected } from './deadLetters.ts'
import type { Provenance } from './provenance.ts'

/** What a task sets aside: dead letters, until the next cut. */
export class SetAside {
  readonly letters = new AwaitingCut<DeadLetter>(letterBytes)
  /** Counts them, ever. */
  brought = 0
  readonly #provenance: Provenance
  readonly #isKept: (input: number) => boolean

  /** @param isKept false for an input the letters of whose records another task stores */
  constructor(provenance: Provenance, isKept: (input: number) => boolean) {
    this.#provenance = provenance
    this.#isKept = isKept
  }

  /** @param origin of a record that was held back; the current one if left out */
  add(rejected: Rejected, origin?: Origin): void {
    if (this.#provenance.isLookingAhead) return
    const letter = (origin ?? this.#provenance.origin()).letter(rejected)
    if (letter === null || !this.#isKept(letter.input ?? 0)) return
    this.brought += 1
    this.letters.add(letter)
  }
}
