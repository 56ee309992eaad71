/**
 * How a task is asked to end: `now` cuts and commits what it has; `settle` does so too, and ends the archive's open object before, where the store takes it
 * in time, so that readers have it; `drain` first reads to where the log ends at that moment and ends the archive's open object;
 * `drain-and-close` also fires the windows that are still open.
 */
export type StopMode = 'now' | 'settle' | 'drain' | 'drain-and-close'

/** Whether it is to end without reading on. */
export function isPrompt(mode: StopMode | null): boolean {
  return mode === 'now' || mode === 'settle'
}
