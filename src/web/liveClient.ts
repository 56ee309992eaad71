import type { WebSocket } from 'ws'

/** A client that has so many bytes unread is told nothing more until it reads. */
const mostUnreadBytes = 1_000_000
/** And once so few are left, it is told all of what it missed, as it is by then. */
const readAgainBytes = 64_000
const patienceMs = 60_000

/**
 * One connection of a page. What it does not read is bounded: news that come while too much is unread are left out, and their subjects are noted; once it reads again it gets each
 * of those anew and whole. One that does not read for a minute is let go.
 */
export class LiveClient {
  readonly #socket: WebSocket
  /** What it has missed something of. */
  readonly #missed = new Set<string>()
  #fullSince: number | null = null

  constructor(socket: WebSocket) {
    this.#socket = socket
  }

  /** Subjects that it has to be told whole, now that it reads again; none while it does not. */
  get isReading(): boolean {
    return this.#socket.bufferedAmount <= readAgainBytes
  }

  get unreadBytes(): number {
    return this.#socket.bufferedAmount
  }

  /** @param subject what the text is about */
  send(subject: string, text: string, now: number): void {
    if (this.#socket.readyState !== this.#socket.OPEN) return
    if (this.#missed.has(subject) || this.#socket.bufferedAmount > mostUnreadBytes) {
      this.#missed.add(subject)
      this.#fullSince ??= now
      return
    }
    this.#socket.send(text)
  }

  /** What it has to be told whole now, and forgets that it has. */
  takeMissed(now: number): readonly string[] {
    if (this.#missed.size === 0) return []
    if (!this.isReading) {
      if (now - (this.#fullSince ?? now) > patienceMs) this.#socket.terminate()
      return []
    }
    const missed = [...this.#missed]
    this.#missed.clear()
    this.#fullSince = null
    return missed
  }

  close(): void {
    this.#socket.close(1001, 'the console ends')
  }

  drop(): void {
    this.#socket.terminate()
  }
}
