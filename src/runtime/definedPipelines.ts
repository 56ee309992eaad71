import { fileURLToPath } from 'node:url'

/** An installed copy of millrace. Two of the same version are two. */
interface Copy {
  readonly folder: string
}

/** The copy whose code this is. */
export const thisCopy: Copy = { folder: fileURLToPath(new URL('../..', import.meta.url)) }

const slotKey = Symbol.for('millrace.definedPipelines')
const world = globalThis as { [slotKey]?: WeakMap<object, Copy> }

/** Notes that this copy has made the pipeline. It is noted on the global object, where a command of another copy finds it. */
export function noteDefined(pipeline: object): void {
  world[slotKey] ??= new WeakMap()
  world[slotKey].set(pipeline, thisCopy)
}

/** The copy whose `definePipeline` has made the value, or null where none has. */
export function makerOf(value: unknown): Copy | null {
  return (typeof value === 'object' && value !== null ? world[slotKey]?.get(value) : undefined) ?? null
}
