import { z } from 'zod'
import { definedQualities } from '../runtime/definedHere.ts'
import { ConfigurationError } from '../runtime/errors.ts'
import type { Condition } from './condition.ts'
import type { Expectation } from './expectation.ts'
import { expectationName } from './expectationName.ts'
import { condition, expectation } from './expectationSchema.ts'

/** What is expected of a table, window by window. */
export interface QualityOptions {
  /** Tells it from others in results and files: lower-case letters, digits, `-` and `_`. The name of the table where it is left out. */
  readonly name?: string
  /** The table or view, unquoted, without a schema. */
  readonly table: string
  /** The columns that say whose a row is, such as `['market', 'symbol']`; none unless told. A window is judged for each of their values by itself. */
  readonly by?: readonly string[]
  /** The column by which a row is in a window: a timestamp or a date. */
  readonly time: string
  /** Which rows are looked at, such as closed candles alone; all unless told. Rows of which it cannot be said are looked at. */
  readonly only?: Condition
  /** At least one. */
  readonly expectations: readonly Expectation[]
  /** How many failing rows of an expectation and a window go into quarantine, 100 unless told; all are counted. */
  readonly mostRows?: number
  /** For people, in the contract. */
  readonly description?: string
  /**
   * What the columns mean, by their names, or also of which type they are: in the contract, and for those who transform with dbt. Types that are told are expected as well, by an
   * expectation `columns are as declared`.
   */
  readonly columns?: Readonly<Record<string, string | DeclaredColumn>>
}

/** A column as it is promised. */
export interface DeclaredColumn {
  /** As PostgreSQL writes it, such as `timestamp with time zone`. */
  readonly type?: string
  /** What it means. */
  readonly description?: string
}

/** Expectations that have been checked and named: what `defineQuality` gives. */
export interface Quality {
  readonly kind: 'quality'
  /** In results, quarantine and files. */
  readonly name: string
  /** Unquoted, without a schema. */
  readonly table: string
  /** Columns. */
  readonly by: readonly string[]
  /** A column. */
  readonly time: string
  /** Null where all rows are looked at. */
  readonly only: Condition | null
  /** In their order, each with a name of its own. */
  readonly expectations: readonly (Expectation & { readonly name: string })[]
  /** Rows of one expectation and window in quarantine, at most. */
  readonly mostRows: number
  /** For people; empty where nothing was said. */
  readonly description: string
  /** What is promised of the columns, by their names. */
  readonly columns: Readonly<Record<string, DeclaredColumn>>
}

const column = z.string().min(1).max(63)
const description = z.string().max(2_000)
const declared = z.strictObject({ type: z.string().min(1).max(200).optional(), description: description.optional() })
const options = z.strictObject({
  name: z
    .string()
    .regex(/^[a-z][a-z0-9_-]{0,99}$/)
    .optional(),
  table: column,
  by: z.array(column).max(16).default([]),
  time: column,
  only: condition.optional(),
  expectations: z.array(expectation).min(1).max(1_000),
  mostRows: z.int().min(1).max(10_000).default(100),
  description: z.string().max(10_000).default(''),
  columns: z.record(column, z.union([description.transform((text) => ({ description: text })), declared])).default({}),
})

/**
 * Declares what is expected of a table. The same declaration is checked (`checkQuality`), written into the contract and given to dbt.
 * @throws ConfigurationError on an expectation that nobody knows, on an option out of range, and on two of one name
 */
export function defineQuality(given: QualityOptions): Quality {
  const parsed = options.safeParse(given)
  if (!parsed.success) throw new ConfigurationError(`defineQuality: ${misfitOf(given, parsed.error)}`)
  const { name = parsed.data.table, only = null, ...rest } = parsed.data
  const columns = rest.columns as Quality['columns']
  const all = [...declaredShape(columns), ...(rest.expectations as readonly Expectation[])]
  const expectations = all.map((one) => ({ ...one, name: expectationName(one) }))
  const seen = new Set<string>()
  for (const one of expectations) {
    if (seen.has(one.name)) {
      throw new ConfigurationError(
        `defineQuality: two expectations of ${rest.table} are called ${JSON.stringify(one.name)}; give one of them another name`,
      )
    }
    seen.add(one.name)
    requireWhose(one, rest)
  }
  const quality: Quality = { kind: 'quality', name, ...rest, columns, only, expectations }
  definedQualities.note(quality)
  return quality
}

/** What is promised of columns is looked at like everything else that is expected. */
function declaredShape(columns: Quality['columns']): readonly Expectation[] {
  const types = Object.entries(columns).flatMap(([column, { type }]) => (type === undefined ? [] : [[column, type]]))
  if (types.length === 0) return []
  return [{ kind: 'shape', name: 'columns are as declared', columns: Object.fromEntries(types) }]
}

/** Rows of another table are looked for in the window, so it has to be known whose they are and when. */
function requireWhose(one: Expectation & { name: string }, { by, time }: { by: readonly string[]; time: string }) {
  if (one.kind !== 'equals') return
  const lacking = [...by, time].filter((column) => !one.on.includes(column))
  if (lacking.length > 0) {
    throw new ConfigurationError(
      `defineQuality: ${one.name}: on lacks ${lacking.join(', ')}; rows of ${one.table} are looked for by the columns of by and the time`,
    )
  }
}

function misfitOf(given: unknown, error: z.ZodError): string {
  const [issue] = error.issues
  if (issue === undefined) return error.message
  const index = issue.path[1]
  const list = (given as { expectations?: readonly unknown[] } | null)?.expectations
  const kind = issue.path[0] === 'expectations' && typeof index === 'number' ? list?.[index] : undefined
  const which =
    typeof kind === 'object' && kind !== null && 'kind' in kind && issue.path.length > 1
      ? ` (${String(kind.kind)})`
      : ''
  return `${issue.path.join('.')}${which}: ${issue.message}`
}
