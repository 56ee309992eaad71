import type { KeyedEntry, KeyedState, StateCodec } from '../runtime/keyedState.ts'
import type { Restored } from '../runtime/operator.ts'
import { TimerQueue } from '../runtime/timerQueue.ts'
import { type Window, windowId } from './window.ts'

/** An open session. */
export interface Session {
  /** As it is now; another one once it has grown. */
  readonly window: Window
}

interface OpenSession extends Session {
  window: Window
  first: number
  last: number
  entry: KeyedEntry<OpenSession> | null
  /** True once it has fired or become part of another. */
  isGone: boolean
}

/** Whose sessions they are, the silence that ends one, and the longest that one may be; ms, infinite for no bound. */
export interface SessionRules {
  readonly name: string
  readonly gapMs: number
  readonly maxMs: number
}

/** What a value has made: its session, and those that were made one for it, by time, if it is not simply the one that was there. */
export interface Joined {
  readonly session: Session
  readonly merged: readonly Window[]
}

/**
 * The open sessions of one operator, by key, and when the last one of each key ended.
 *
 * Keeps an entry an open session, and the end for a gap longer: from then on what is before it is over by itself.
 */
export class OpenSessions {
  readonly #rules: SessionRules
  readonly #saved: KeyedState<OpenSession>
  readonly #ended: KeyedState<number>
  /** Of each key, by time. */
  readonly #open = new Map<string, OpenSession[]>()
  readonly #firing = new TimerQueue<OpenSession>()
  readonly #forgetting = new TimerQueue<string>()

  constructor(rules: SessionRules, restored: Restored) {
    this.#rules = rules
    this.#saved = restored.keyed(this.#sessionState(), 'open')
    this.#ended = restored.keyed(wholeNumber, 'ended')
    for (const [id, session] of this.#saved.entries()) {
      session.entry = this.#saved.entry(id) ?? null
      this.#enter(session)
    }
    for (const [key, end] of this.#ended.entries()) this.#forgetting.add(this.#forgetAt(end), key)
  }

  /** The earliest time at which one may fire; infinite where there is none. */
  get nextDue(): number {
    return this.#firing.nextDue
  }

  /** The earliest time at which something may be let go; infinite where there is nothing. */
  get nextForgotten(): number {
    return this.#forgetting.nextDue
  }

  /** The latest time at which one fires. */
  get last(): number | undefined {
    let last: number | undefined
    for (const sessions of this.#open.values()) {
      for (const { window } of sessions) if (last === undefined || window.end - 1 > last) last = window.end - 1
    }
    return last
  }

  /**
   * Where the value comes too late: the end of the session that it would make by itself, or of the last one, which it touches. Null where it is in time. What is open does not
   * count, for then it would depend on which of two values comes first.
   */
  lateFor(key: string, at: number, watermark: number): number | null {
    const ended = this.#ended.get(key)
    if (ended !== undefined && at < ended) return ended
    const end = at + this.#rules.gapMs
    return watermark >= end - 1 ? end : null
  }

  join(key: string, at: number): Joined {
    const touched = this.#touchedBy(key, at)
    const [earliest] = touched
    const first = Math.min(at, earliest?.first ?? at)
    const last = Math.max(at, touched.at(-1)?.last ?? at)
    if (earliest !== undefined && touched.length === 1 && earliest.first === first) {
      if (last > earliest.last) {
        earliest.last = last
        // Its id stays, and need not be made again for every value.
        earliest.window = { ...earliest.window, end: this.#endOf(first, last) }
        this.#saved.touch(earliest.entry as KeyedEntry<OpenSession>)
      }
      return { session: earliest, merged: [] }
    }
    for (const one of touched) this.#leave(one)
    const window = this.#windowOf(key, first, last)
    const session: OpenSession = { window, first, last, entry: null, isGone: false }
    session.entry = this.#saved.set(window.id, session)
    this.#enter(session)
    return { session, merged: touched.map((one) => one.window) }
  }

  /** Takes out the sessions that end with this time, by key. */
  takeDue(time: number): readonly Session[] {
    const due = this.#firing.take(time)?.items ?? []
    const over: OpenSession[] = []
    for (const one of due) {
      if (one.isGone) continue
      if (one.window.end - 1 > time) this.#firing.add(one.window.end - 1, one)
      else over.push(one)
    }
    for (const one of over) {
      const { key, end } = one.window
      this.#leave(one)
      this.#ended.set(key, end)
      this.#forgetting.add(this.#forgetAt(end), key)
    }
    return over.sort((a, b) => (a.window.key < b.window.key ? -1 : 1))
  }

  /** Lets go of the ends that no value can come before any more. */
  forget(watermark: number): void {
    for (let due = this.#forgetting.take(watermark); due !== undefined; due = this.#forgetting.take(watermark)) {
      for (const key of due.items) {
        const end = this.#ended.get(key)
        if (end !== undefined && this.#forgetAt(end) <= watermark) this.#ended.delete(key)
      }
    }
  }

  #forgetAt(end: number): number {
    return end + this.#rules.gapMs - 2
  }

  #touchedBy(key: string, at: number): readonly OpenSession[] {
    const sessions = this.#open.get(key)
    if (sessions === undefined) return []
    const { gapMs, maxMs } = this.#rules
    return sessions.filter(({ first, last }) => at > first - gapMs && at < last + gapMs && at < first + maxMs)
  }

  #windowOf(key: string, first: number, last: number): Window {
    const { name } = this.#rules
    return {
      ...{ name, key, start: first, end: this.#endOf(first, last) },
      ...{ id: windowId(key, first), varies: true, mayMerge: true },
    }
  }

  #endOf(first: number, last: number): number {
    const { gapMs, maxMs } = this.#rules
    return Math.min(last + gapMs, first + maxMs)
  }

  #enter(session: OpenSession): void {
    const { key } = session.window
    const sessions = this.#open.get(key)
    if (sessions === undefined) this.#open.set(key, [session])
    else {
      let at = sessions.length
      while (at > 0 && (sessions[at - 1] as OpenSession).first > session.first) at -= 1
      sessions.splice(at, 0, session)
    }
    this.#firing.add(session.window.end - 1, session)
  }

  #leave(session: OpenSession): void {
    const { key, id } = session.window
    session.isGone = true
    this.#saved.delete(id)
    const sessions = this.#open.get(key) as OpenSession[]
    if (sessions.length === 1) this.#open.delete(key)
    else sessions.splice(sessions.indexOf(session), 1)
  }

  #sessionState(): StateCodec<OpenSession> {
    return {
      encode: ({ window, first, last }) => [window.key, first, last],
      decode: (saved) => {
        const [key, first, last] = saved as unknown as readonly [string, number, number]
        return { window: this.#windowOf(key, first, last), first, last, entry: null, isGone: false }
      },
    }
  }
}

const wholeNumber: StateCodec<number> = { encode: (value) => value, decode: (saved) => saved as number }
