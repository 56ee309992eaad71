import { fileURLToPath } from 'node:url'
import { packageFolder } from './ownPackage.ts'

/** An installed copy of millrace. Two of the same version are two. */
interface Copy {
  readonly folder: string
}

/** The copy whose code this is. */
export const thisCopy: Copy = { folder: fileURLToPath(packageFolder) }

/** Which copy has made which values of one kind. */
export interface DefinedValues {
  /** Notes that this copy has made the value. */
  note(value: object): void
  /** The copy that has made the value, or null where none has. */
  makerOf(value: unknown): Copy | null
}

/** Keeps its notes on the global object under this name, where a command of another copy finds them. */
export function definedValues(name: string): DefinedValues {
  const slot = Symbol.for(name)
  const world = globalThis as { [slot: symbol]: WeakMap<object, Copy> | undefined }
  return {
    note(value) {
      world[slot] ??= new WeakMap()
      world[slot].set(value, thisCopy)
    },
    makerOf: (value) => (typeof value === 'object' && value !== null ? world[slot]?.get(value) : undefined) ?? null,
  }
}

/** What `definePipeline` has made. */
export const definedPipelines = definedValues('millrace.definedPipelines')

/** What `defineQuality` has made. */
export const definedQualities = definedValues('millrace.definedQualities')

/** What `defineJob` has made. */
export const definedJobs = definedValues('millrace.definedJobs')

/** What `defineFeed` has made. */
export const definedFeeds = definedValues('millrace.definedFeeds')
