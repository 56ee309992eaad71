import type { Restored } from '../runtime/operator/operator.ts'
import type { KeyedEntry, KeyedState, StateCodec } from '../runtime/state/keyedState.ts'
import { TimerQueue } from '../runtime/time/timerQueue.ts'
import { firstNot } from './firstNot.ts'
import type { Lateness } from './lateness.ts'
import { foldedAs, type Window, windowId } from './window.ts'

/** A session that is kept. */
export interface Session {
  /** As it is now; another one once it has grown. */
  readonly window: Window
  /** How often it has fired, or the most often fired one that it was made of. */
  readonly revision: number
}

interface KeptSession extends Session {
  window: Window
  first: number
  last: number
  revision: number
  /** True while the result that it fired last holds. */
  hasFired: boolean
  /** True once it waits for its lateness to be over. */
  isEnding: boolean
  entry: KeyedEntry<KeptSession> | null
  /** True once it is over or has become part of another. */
  isGone: boolean
}

/** Whose sessions they are, the silence that ends one, the longest that one may be, and how long one that has fired is kept; ms, infinite for no bound. */
export interface SessionRules {
  readonly name: string
  readonly gapMs: number
  readonly maxMs: number
  readonly allowedLatenessMs: number
}

/** What a value has made: its session, and what became of those that were there. */
export interface Joined {
  readonly session: Session
  /** True where it was there and is no more than longer by now, so that nothing is due earlier than before. */
  readonly wasOpen: boolean
  /** Those that it was made of, by time, if it is not simply the one that was there. */
  readonly merged: readonly Window[]
  /** Those whose results hold no longer, by time. */
  readonly withdrawn: readonly Session[]
}

/**
 * The sessions of one operator that may still change, by key, and when the last one of each key was over.
 *
 * Keeps an entry a session until its allowed lateness is over, and its end for a gap longer: from then on what is before it is over by itself.
 */
export class OpenSessions {
  readonly #rules: SessionRules
  readonly #lateness: Lateness
  readonly #saved: KeyedState<KeptSession>
  readonly #ended: KeyedState<number>
  /** Of each key, by time: none begins before the one before it has ended. */
  readonly #kept = new Map<string, KeptSession[]>()
  readonly #firing = new TimerQueue<KeptSession>(isKept)
  readonly #ending = new TimerQueue<KeptSession>(isKept)
  readonly #forgetting = new TimerQueue<string>()
  /** How many have not fired. */
  #openCount = 0
  /** The latest end that any had: where one has not fired, it has one as late. */
  #lastEnd = Number.NEGATIVE_INFINITY

  constructor(rules: SessionRules, lateness: Lateness, restored: Restored) {
    this.#rules = rules
    this.#lateness = lateness
    this.#saved = restored.keyed(this.#sessionState(restored.watermark), 'open')
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
  get nextOver(): number {
    return Math.min(this.#ending.nextDue, this.#forgetting.nextDue)
  }

  /** The latest time at which one fires. */
  get last(): number | undefined {
    return this.#openCount === 0 ? undefined : this.#lastEnd - 1
  }

  /**
   * Where the value comes too late: the end of the session that it would make by itself, or of the last one that is over for good, which it touches. Null where it is in time. What is kept does not
   * count, for then it would depend on which of two values comes first.
   */
  lateFor(key: string, at: number, watermark: number): number | null {
    const ended = this.#ended.get(key)
    if (ended !== undefined && at < ended) return ended
    const end = at + this.#rules.gapMs
    return this.#lateness.isOver(end - 1, watermark) ? end : null
  }

  /** Takes the value into the session that it makes. One that has fired, and ends behind the watermark or begins earlier now, is no longer what its result says. */
  join(key: string, at: number, watermark: number): Joined {
    const touched = this.#touchedBy(key, at)
    const [earliest] = touched
    if (earliest !== undefined && touched.length === 1 && earliest.first <= at && !earliest.hasFired) {
      // Its id stays, and need not be made again for every value; so does what a fold has left there.
      if (at > earliest.last)
        this.#grow(earliest, { ...earliest.window, end: this.#endOf(earliest.first, at) }, at, false)
      return { session: earliest, wasOpen: true, merged: none, withdrawn: none }
    }
    const first = Math.min(at, earliest?.first ?? at)
    const last = Math.max(at, touched.at(-1)?.last ?? at)
    const window = this.#windowOf(key, first, last)
    const isDue = window.end - 1 <= watermark
    const withdrawn = touched
      .filter((one) => one.hasFired && !(isDue && one.first === first))
      .map((one) => ({ window: one.window, revision: one.revision }))
    if (earliest !== undefined && touched.length === 1 && earliest.first === first) {
      if (last > earliest.last) this.#grow(earliest, window, last, isDue)
      return { session: earliest, wasOpen: false, merged: none, withdrawn }
    }
    for (const one of touched) this.#leave(one)
    const revision = Math.max(0, ...touched.map((one) => one.revision))
    const session: KeptSession = {
      window,
      first,
      last,
      revision,
      hasFired: isDue,
      isEnding: false,
      entry: null,
      isGone: false,
    }
    session.entry = this.#saved.set(window.id, session)
    this.#enter(session)
    return { session, wasOpen: false, merged: touched.map((one) => one.window), withdrawn }
  }

  /** Takes out the sessions that fire with this time, by key. */
  takeDue(time: number): readonly Session[] {
    const due = this.#firing.take(time)?.items ?? []
    const fired: KeptSession[] = []
    for (const one of due) {
      if (one.isGone) continue
      if (one.window.end - 1 > time) this.#firing.add(one.window.end - 1, one)
      else fired.push(one)
    }
    this.#openCount -= fired.length
    for (const one of fired) {
      one.hasFired = true
      this.#endLater(one)
    }
    return fired.sort(byKey)
  }

  /** It fires: its result holds until it changes. */
  fire(session: Session): number {
    const one = session as KeptSession
    one.revision += 1
    if (one.entry !== null) this.#saved.touch(one.entry)
    return one.revision
  }

  /** Takes out those that are over for good, by end and key, and lets go of the ends that no value can come before any more. */
  takeOver(watermark: number): readonly Session[] {
    const over: KeptSession[] = []
    for (let due = this.#ending.take(watermark); due !== undefined; due = this.#ending.take(watermark)) {
      for (const one of due.items) {
        const time = this.#overAt(one)
        if (one.isGone) continue
        if (time > watermark) this.#ending.add(time, one)
        else {
          one.isEnding = false
          over.push(one)
        }
      }
    }
    for (const one of over) {
      const { key, end } = one.window
      this.#leave(one)
      this.#ended.set(key, end)
      this.#forgetting.add(this.#forgetAt(end), key)
    }
    this.#forget(watermark)
    return over.sort((a, b) => a.window.end - b.window.end || byKey(a, b))
  }

  #forget(watermark: number): void {
    for (let due = this.#forgetting.take(watermark); due !== undefined; due = this.#forgetting.take(watermark)) {
      for (const key of due.items) {
        const end = this.#ended.get(key)
        if (end !== undefined && this.#forgetAt(end) <= watermark) this.#ended.delete(key)
      }
    }
  }

  #overAt({ window }: KeptSession): number {
    return window.end - 1 + this.#rules.allowedLatenessMs
  }

  #forgetAt(end: number): number {
    return end + this.#rules.gapMs - 2 + this.#rules.allowedLatenessMs
  }

  #touchedBy(key: string, at: number): readonly KeptSession[] {
    const sessions = this.#kept.get(key)
    if (sessions === undefined) return none
    const { gapMs, maxMs } = this.#rules
    if (sessions.length === 1) {
      const { first, last } = sessions[0] as KeptSession
      return at < last + gapMs && at < first + maxMs && at > first - gapMs ? sessions : none
    }
    const isBefore = ({ first, last }: KeptSession) => at >= last + gapMs || at >= first + maxMs
    const from = firstNot(sessions, isBefore)
    return sessions.slice(
      from,
      firstNot(sessions, ({ first }) => at > first - gapMs, from),
    )
  }

  #windowOf(key: string, first: number, last: number): Window {
    const { name, allowedLatenessMs } = this.#rules
    const window: Window & { [foldedAs]: null } = {
      ...{ name, key, start: first, end: this.#endOf(first, last) },
      ...{ id: windowId(key, first), varies: true, mayMerge: true, [foldedAs]: null },
    }
    return allowedLatenessMs === 0 ? window : { ...window, mayBeWithdrawn: true }
  }

  #endOf(first: number, last: number): number {
    const { gapMs, maxMs } = this.#rules
    return Math.min(last + gapMs, first + maxMs)
  }

  #grow(session: KeptSession, window: Window, last: number, isDue: boolean): void {
    session.last = last
    session.window = window
    this.#lastEnd = Math.max(this.#lastEnd, window.end)
    if (session.hasFired && !isDue) {
      session.hasFired = false
      this.#openCount += 1
      this.#firing.add(window.end - 1, session)
    }
    this.#saved.touch(session.entry as KeyedEntry<KeptSession>)
  }

  #enter(session: KeptSession): void {
    const { key } = session.window
    const sessions = this.#kept.get(key)
    if (sessions === undefined) this.#kept.set(key, [session])
    else {
      let at = sessions.length
      while (at > 0 && (sessions[at - 1] as KeptSession).first > session.first) at -= 1
      sessions.splice(at, 0, session)
    }
    this.#lastEnd = Math.max(this.#lastEnd, session.window.end)
    if (session.hasFired) this.#endLater(session)
    else {
      this.#openCount += 1
      this.#firing.add(session.window.end - 1, session)
    }
  }

  #endLater(session: KeptSession): void {
    if (session.isEnding) return
    session.isEnding = true
    this.#ending.add(this.#overAt(session), session)
  }

  #leave(session: KeptSession): void {
    const { key, id } = session.window
    session.isGone = true
    if (session.isEnding) this.#ending.withdraw()
    if (!session.hasFired) {
      this.#openCount -= 1
      this.#firing.withdraw()
    }
    this.#saved.delete(id)
    const sessions = this.#kept.get(key) as KeptSession[]
    if (sessions.length === 1) this.#kept.delete(key)
    else {
      const at = firstNot(sessions, ({ first }) => first < session.first)
      sessions.splice(at, 1)
    }
  }

  /** What has come to its end has fired. */
  #sessionState(watermark: number): StateCodec<KeptSession> {
    return {
      encode: ({ window, first, last, revision }) => [window.key, first, last, ...(revision === 0 ? [] : [revision])],
      decode: (saved) => {
        const [key, first, last, revision = 0] = saved as unknown as SavedSession
        const window = this.#windowOf(key, first, last)
        const hasFired = window.end - 1 <= watermark
        return { window, first, last, revision, hasFired, isEnding: false, entry: null, isGone: false }
      },
    }
  }
}

type SavedSession = readonly [key: string, first: number, last: number, revision?: number]

const none: readonly never[] = []

function isKept({ isGone }: KeptSession): boolean {
  return !isGone
}

const wholeNumber: StateCodec<number> = { encode: (value) => value, decode: (saved) => saved as number }

function byKey(a: Session, b: Session): number {
  return a.window.key < b.window.key ? -1 : a.window.key > b.window.key ? 1 : 0
}
