import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

let collect: (() => void) | null = null

/**
 * Has the garbage collector run now, which takes some tens of ms. For batches of many megabytes: what was fetched before them lies outside of the heap, where the
 * collector sees no need to hurry, and would stand beside all that is made of them.
 */
export function collectGarbage(): void {
  if (collect === null) {
    setFlagsFromString('--expose-gc')
    collect = runInNewContext('gc') as () => void
  }
  collect()
}
