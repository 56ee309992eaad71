import { type DefinedValues, thisCopy } from '../runtime/definedHere.ts'
import { UsageError } from './exit.ts'
import type { ModuleExports } from './importFile.ts'

/** A kind of values that users' files export. */
export interface ExportedKind {
  /** For messages: `pipeline`. */
  readonly what: string
  /** The function that makes one: `definePipeline`. */
  readonly madeBy: string
  readonly defined: DefinedValues
  /** What may be said of something else that is exported, such as ` (a function)`; empty where nothing. */
  readonly remark: (value: unknown) => string
}

interface Named {
  readonly name: string
}

/** The one value of a kind among the exports of a module: its default, or the only one. Throws `UsageError` where there is none, or no telling which. */
export function definedExport<T extends Named>(kind: ExportedKind, exports: ModuleExports, file: string): T {
  const { what, madeBy, defined, remark } = kind
  const isDefined = (value: unknown): value is T => defined.makerOf(value) !== null
  if (isDefined(exports.default)) return ofThisCopy(kind, exports.default, file)
  const names = Object.keys(exports).filter((name) => isDefined(exports[name]))
  const [found, ...others] = new Set(names.map((name) => exports[name]).filter(isDefined))
  if (found === undefined) {
    throw new UsageError(
      `${file} exports no ${what}. ${whatIsThere(exports, remark)} Make one with ${madeBy}, and make it the default export.`,
    )
  }
  if (others.length > 0) {
    throw new UsageError(
      `${file} exports several ${what}s (${names.join(', ')}) and none as its default: make the one that is meant the default export.`,
    )
  }
  return ofThisCopy(kind, found, file)
}

function ofThisCopy<T extends Named>({ what, defined }: ExportedKind, value: T, file: string): T {
  const maker = defined.makerOf(value)
  if (maker === null || maker === thisCopy) return value
  throw new UsageError(
    `${file}: ${what} ${value.name} is made by a second copy of millrace, in ${maker.folder}; this command is of the copy in ${thisCopy.folder}. ` +
      'Run `npx millrace` in the project of the file; where that is what you did, run `npm ls millrace` and leave one copy.',
  )
}

function whatIsThere(exports: ModuleExports, remark: ExportedKind['remark']): string {
  // Node gives a CommonJS module's exports under this name as well.
  const { 'module.exports': _commonJs, ...own } = exports
  const found = Object.entries(own).map(([name, value]) => {
    const said = typeof value === 'function' ? ' (a function: export what it gives)' : remark(value)
    return `${name}${said}`
  })
  return found.length === 0 ? 'It exports nothing.' : `It exports ${found.join(', ')}.`
}
