import type { OperatorFunction } from 'rxjs'
import { ConfigurationError, OperatorError } from '../runtime/errors.ts'
import type { StateCodec } from '../runtime/keyedState.ts'
import type { OperatorSpec } from '../runtime/operator.ts'
import { stateful } from '../runtime/stateful.ts'
import { foldedAs, type WindowElement, windowId } from './window.ts'
import { type OpenWindow, WindowTimers } from './windowTimers.ts'

export interface TumblingWindowOptions<T> {
  readonly name: string
  /** Length of a window, ms. */
  readonly sizeMs: number
  /** Each key has windows of its own. */
  readonly by: (value: T) => string
  /** Event time of a value, ms UTC; that of the `eventTime` above if left out, and for a window's result the window's last ms. */
  readonly of?: (value: T) => number
  /** How long a window that has fired still accepts values, each of which fires it again with a higher revision. 0 if left out. */
  readonly allowedLatenessMs?: number
  /** Marks previews: passed on with their window, but they open no window and are never late. */
  readonly isProvisional?: (value: T) => boolean
  /** Outside a task: receives late values. */
  readonly onReject?: OperatorSpec['onReject']
}

/**
 * Puts each value into the window `[start, end)` of its key that its event time falls in, start being a multiple of `sizeMs`.
 *
 * A window fires when the watermark reaches `end - 1`; those that are due together fire by end, then by key. A value whose window is over, allowed lateness
 * included, is set aside as `late`. Keeps one small entry a window from its first value until the watermark passes
 * `end - 1 + allowedLatenessMs`; the values themselves are not kept.
 * @throws ConfigurationError on options out of range; OperatorError where a value has no event time
 */
export function tumblingWindow<T>(options: TumblingWindowOptions<T>): OperatorFunction<T, WindowElement<T>> {
  const { name, sizeMs, by, of, allowedLatenessMs = 0, isProvisional } = options
  if (!Number.isSafeInteger(sizeMs) || sizeMs <= 0) {
    throw new ConfigurationError(`tumblingWindow '${name}': sizeMs must be a positive integer, got ${sizeMs}.`)
  }
  if (!Number.isSafeInteger(allowedLatenessMs) || allowedLatenessMs < 0) {
    throw new ConfigurationError(
      `tumblingWindow '${name}': allowedLatenessMs must be an integer from 0, got ${allowedLatenessMs}.`,
    )
  }
  const shape = { sizeMs, allowedLatenessMs }
  return stateful<T, WindowElement<T>>({ name, shape, onReject: options.onReject }, (restored, out) => {
    /** The newest window of each key. */
    const windows = restored.keyed<OpenWindow>(openWindows(name, sizeMs))
    const timers = new WindowTimers(allowedLatenessMs)
    for (const [, newest] of windows.entries()) for (const one of withOlder(newest)) timers.add(one)

    function fire(one: OpenWindow): void {
      one.revision += 1
      out.emitAt(one.window.end - 1, { window: one.window, closed: true, revision: one.revision })
    }

    function open(key: string, ordinal: number): OpenWindow {
      const one = newWindow(name, key, ordinal, sizeMs, windows.get(key) ?? null)
      windows.set(key, one)
      timers.add(one)
      return one
    }

    function close(one: OpenWindow): void {
      const { key } = one.window
      const newest = windows.update(key)
      if (newest !== one) {
        for (const newer of withOlder(newest)) if (newer.older === one) newer.older = one.older
      } else if (one.older !== null) windows.set(key, one.older)
      else windows.delete(key)
      out.emitAt(one.window.end - 1, { window: one.window, closed: 'over' })
    }

    return {
      onValue(value) {
        const at = of === undefined ? out.valueTime() : of(value)
        if (!Number.isSafeInteger(at)) throw noTime(name, at)
        const key = by(value)
        // Exact for every safe integer.
        const ordinal = Math.floor(at / sizeMs)
        const last = (ordinal + 1) * sizeMs - 1
        if (isProvisional?.(value) === true) {
          if (out.watermark < last) {
            const { window } = newWindow(name, key, ordinal, sizeMs, null)
            out.emit({ window, value, isProvisional: true, closed: false })
          }
          return
        }
        let one = windows.get(key) ?? null
        while (one !== null && one.ordinal !== ordinal) one = one.older
        if (one === null) {
          if (out.watermark >= last + allowedLatenessMs) {
            out.reject(
              'late',
              `${name}: event time ${at} of ${key} is late: its window ended at ${last + 1}, the watermark is ${out.watermark}`,
            )
            return
          }
          one = open(key, ordinal)
        }
        out.emit({ window: one.window, value, isProvisional: false, closed: false })
        if (out.watermark >= last) {
          // The revision is part of the saved state, so the key has changed.
          windows.update(key)
          fire(one)
        }
      },
      onWatermark(watermark) {
        if (watermark < timers.nextDue) return
        for (const one of timers.takeFiring(watermark)) {
          windows.update(one.window.key)
          if (one.revision === 0) fire(one)
        }
        for (const one of timers.takeOver(watermark)) close(one)
      },
      openUntil: () => timers.lastUnfired(),
    }
  })
}

function newWindow(
  name: string,
  key: string,
  ordinal: number,
  sizeMs: number,
  older: OpenWindow | null,
  revision = 0,
): OpenWindow {
  const start = ordinal * sizeMs
  const window = { name, key, start, end: start + sizeMs, id: windowId(key, start), [foldedAs]: null }
  return { window, ordinal, revision, older }
}

function* withOlder(newest: OpenWindow | undefined): IterableIterator<OpenWindow> {
  for (let one = newest ?? null; one !== null; one = one.older) yield one
}

/** A key's windows are saved in the order in which they were opened. */
function openWindows(name: string, sizeMs: number): StateCodec<OpenWindow> {
  return {
    encode: (newest) => [...withOlder(newest)].reverse().map((one) => [one.window.key, one.window.start, one.revision]),
    decode: (saved) => {
      let newest: OpenWindow | null = null
      for (const [key, start, revision] of saved as unknown as readonly (readonly [string, number, number])[]) {
        newest = newWindow(name, key, start / sizeMs, sizeMs, newest, revision)
      }
      return newest as unknown as OpenWindow
    },
  }
}

function noTime(name: string, at: number): OperatorError {
  return new OperatorError(`tumblingWindow '${name}': the event time must be a whole number of ms, got ${at}`)
}
