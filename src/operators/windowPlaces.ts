import type { Window } from './window.ts'

/**
 * Small numbers of the windows of one operator, for whoever keeps something of windows side by side. A window has its place until it is given back; another one may have it then, which is told by its serial number.
 *
 * Stays as large as it was with the most windows.
 */
export class WindowPlaces {
  /** By place: the window that had it last. */
  readonly windows: Window[] = []
  /** By place: which window that is, from 1 in the order in which windows came. */
  serials = new Int32Array(64)
  readonly #free: number[] = []
  #last = 0

  take(window: Window): number {
    const place = this.#free.pop() ?? this.windows.length
    if (place === this.serials.length) {
      const serials = new Int32Array(2 * place)
      serials.set(this.serials)
      this.serials = serials
    }
    // After so many that none of the first is left it begins again, and 0 is nobody's.
    this.#last = (this.#last + 1) | 0 || 1
    this.windows[place] = window
    this.serials[place] = this.#last
    return place
  }

  release(place: number): void {
    this.#free.push(place)
  }
}
