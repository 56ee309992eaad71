/** Of one key, in doubles: where the run lies, how far ids that were foreseen would take it, and when it was noted as changed. One line of memory. */
const width = 8
const from = 0
const to = 1
const newest = 2
const foreseenTo = 3
const changedIn = 4

/**
 * The highest run of ids of each key, side by side in one array: an id that goes on with it, as nearly every id does, touches one line of memory and no object. A key has a place from `take` until `release`; places are used again, and the array stays as
 * large as it was with the most keys.
 */
export class HighestRuns {
  #numbers: Float64Array
  #end = 0
  readonly #free: number[] = []

  constructor(places = 8) {
    this.#numbers = new Float64Array(places * width)
  }

  /** A place of an empty run. */
  take(): number {
    const place = this.#free.pop() ?? this.#end++
    if ((place + 1) * width > this.#numbers.length) {
      const larger = new Float64Array(this.#numbers.length * 2)
      larger.set(this.#numbers)
      this.#numbers = larger
    }
    this.#numbers.fill(0, place * width, (place + 1) * width)
    this.set(place, 0, -1, 0)
    this.#numbers[place * width + changedIn] = -1
    return place
  }

  release(place: number): void {
    this.#free.push(place)
  }

  from(place: number): number {
    return this.#numbers[place * width + from] as number
  }

  /** Below `from` while the run is empty. */
  to(place: number): number {
    return this.#numbers[place * width + to] as number
  }

  /** When the run was added to at the latest: ms UTC. */
  newest(place: number): number {
    return this.#numbers[place * width + newest] as number
  }

  set(place: number, first: number, last: number, time: number): void {
    const at = place * width
    this.#numbers[at + from] = first
    this.#numbers[at + to] = last
    this.#numbers[at + newest] = time
  }

  /** Adds the id behind the run. */
  goOn(place: number, id: number, time: number): void {
    const at = place * width
    this.#numbers[at + to] = id
    if (time > (this.#numbers[at + newest] as number)) this.#numbers[at + newest] = time
  }

  /** Before ids are foreseen: nothing is. */
  beginLook(place: number): void {
    const at = place * width
    this.#numbers[at + foreseenTo] = this.#numbers[at + to] as number
  }

  /** Whether the id goes on with the run, behind those foreseen since the look began; false where it is in it, null for any other. */
  foresee(place: number, id: number): boolean | null {
    const numbers = this.#numbers
    const at = place * width
    const first = numbers[at + from] as number
    const last = numbers[at + foreseenTo] as number
    if (id <= last && id >= first) return false
    if (id !== last + 1 || last < first) return null
    numbers[at + foreseenTo] = id
    return true
  }

  /** Notes that the run has changed in this cut; false where that was noted already. */
  noteChange(place: number, cut: number): boolean {
    const at = place * width + changedIn
    if (this.#numbers[at] === cut) return false
    this.#numbers[at] = cut
    return true
  }
}
