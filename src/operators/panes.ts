import { type Hops, type Window, windowId } from './window.ts'

/** The length of the panes that the windows are made of: the longest that divides size and hop, ms. */
export function paneMs({ sizeMs, hopMs }: Hops): number {
  let [a, b] = [sizeMs, hopMs]
  while (b > 0) [a, b] = [b, a % b]
  return a
}

/** The starts of the windows that hold what begins at `start`, from the first on. */
export function startsOver(start: number, { sizeMs, hopMs }: Hops): number[] {
  const starts: number[] = []
  const first = (Math.floor((start - sizeMs) / hopMs) + 1) * hopMs
  for (let one = first; one <= start; one += hopMs) starts.push(one)
  return starts
}

/** The windows that share the pane, from the first on. */
export function windowsOver({ name, key, start }: Window, hops: Hops): Window[] {
  return startsOver(start, hops).map((first) => windowAt(name, key, first, hops))
}

/** The window of the key that begins at `start`. */
export function windowAt(name: string, key: string, start: number, { sizeMs }: Hops): Window {
  return { name, key, start, end: start + sizeMs, id: windowId(key, start) }
}

/** The panes that the window is made of, by time. */
export function panesOf({ name, key, start, end }: Window, hops: Hops): Window[] {
  const lengthMs = paneMs(hops)
  const panes: Window[] = []
  for (let one = start; one < end; one += lengthMs) panes.push(paneAt(name, key, one, lengthMs, hops))
  return panes
}

/** The pane of the key that begins at `start`, which is a multiple of `lengthMs`. */
export function paneAt(name: string, key: string, start: number, lengthMs: number, hops: Hops): Window {
  return { name, key, start, end: start + lengthMs, id: windowId(key, start), hops }
}
