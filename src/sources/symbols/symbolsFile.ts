import { type Document, LineCounter, parseDocument } from 'yaml'
import { z } from 'zod'
import { ConfigurationError } from '../../runtime/errors.ts'
import { isStreamName, streamsAllowed } from './streamName.ts'

/** One symbol of the file, with what its tier says filled in. */
export interface SymbolEntry {
  readonly symbol: string
  readonly tier: string
  readonly enabled: boolean
  /** Its own, or those of its tier. */
  readonly streams: readonly string[]
}

/** What a file of symbols says. */
export interface SymbolsFile {
  readonly market: 'spot' | 'usdm'
  readonly tiers: ReadonlyMap<string, readonly string[]>
  /** In the order of the file. */
  readonly symbols: readonly SymbolEntry[]
}

const maxBytes = 1024 * 1024
const maxSymbols = 2_000
const maxTiers = 50

const streams = z
  .array(z.string().refine(isStreamName, { error: `is no stream; allowed: ${streamsAllowed}` }))
  .min(1)
  .max(20)

export const symbolName = z
  .string()
  .regex(/^[\p{Lu}\p{Lo}\p{N}_]{1,40}$/u, 'is no symbol in upper case, such as BTCUSDT')

const fileSchema = z.strictObject({
  market: z.enum(['spot', 'usdm']).default('spot'),
  tiers: z
    .record(
      z.string().regex(/^[a-z][a-z0-9_-]{0,39}$/, 'is no name of a tier: lower-case letters, digits, - and _'),
      z.strictObject({ streams }),
    )
    .refine((tiers) => Object.keys(tiers).length <= maxTiers, `has more than ${maxTiers} tiers`),
  symbols: z
    .array(
      z.strictObject({
        symbol: symbolName,
        tier: z.string(),
        enabled: z.boolean().default(true),
        streams: streams.optional(),
      }),
    )
    .max(maxSymbols)
    .nullable()
    .transform((list) => list ?? []),
})

/** A text that was read, and the document that keeps its comments when it is changed. */
export interface ReadSymbols {
  /** As it was. */
  readonly text: string
  readonly file: SymbolsFile
  readonly document: Document
}

/** Reads the text of a file of symbols. Throws `ConfigurationError` with every problem and its line, at most ten. */
export function parseSymbols(name: string, text: string): ReadSymbols {
  if (Buffer.byteLength(text) > maxBytes) {
    throw new ConfigurationError(`${name} is larger than ${maxBytes} bytes, and no list of symbols.`)
  }
  const lines = new LineCounter()
  const document = parseDocument(text, { lineCounter: lines, uniqueKeys: true, prettyErrors: false })
  const broken = document.errors[0]
  if (broken !== undefined) {
    throw new ConfigurationError(`${name}, line ${lines.linePos(broken.pos[0]).line}: no YAML (${broken.message}).`)
  }
  const parsed = fileSchema.safeParse(contentOf(name, document))
  const lineOf = (path: readonly PropertyKey[]) => lineAt(document, lines, path)
  if (!parsed.success) {
    const problems = parsed.error.issues.map((issue) => `${lineOf(issue.path)}: ${wordsOf(issue)}`)
    throw problemsOf(name, problems)
  }
  const { market, tiers, symbols } = parsed.data
  const problems: string[] = []
  const seen = new Set<string>()
  for (const [index, { symbol, tier }] of symbols.entries()) {
    const line = lineOf(['symbols', index, 'symbol'])
    if (seen.has(symbol)) problems.push(`${line}: ${symbol} is there twice`)
    seen.add(symbol)
    if (!Object.hasOwn(tiers, tier)) {
      problems.push(
        `${lineOf(['symbols', index, 'tier'])}: ${symbol} has the tier ${tier}, and the tiers are ${Object.keys(tiers).join(', ') || 'none'}`,
      )
    }
  }
  if (problems.length > 0) throw problemsOf(name, problems)
  const ofTier = new Map(Object.entries(tiers).map(([tier, of]) => [tier, of.streams]))
  return {
    text,
    document,
    file: {
      market,
      tiers: ofTier,
      symbols: symbols.map(({ symbol, tier, enabled, streams: own }) => ({
        symbol,
        tier,
        enabled,
        streams: own ?? ofTier.get(tier) ?? [],
      })),
    },
  }
}

/** What the document says; aliases are resolved, but not to more than a text of this size may mean. */
function contentOf(name: string, document: Document): unknown {
  try {
    return document.toJS({ maxAliasCount: 100 })
  } catch (error) {
    throw new ConfigurationError(`${name}: ${error instanceof Error ? error.message : String(error)}.`, {
      cause: error,
    })
  }
}

function problemsOf(name: string, problems: readonly string[]): ConfigurationError {
  const shown = problems.slice(0, 10).map((problem) => `${name}, ${problem}`)
  const more = problems.length > 10 ? `; and ${problems.length - 10} more` : ''
  return new ConfigurationError(`${shown.join('; ')}${more}.`)
}

function wordsOf(issue: z.core.$ZodIssue): string {
  const path = issue.path.filter((key) => typeof key === 'string').join('.')
  const place = path === '' ? 'the file' : path
  if (issue.code === 'unrecognized_keys') return `${place} has ${issue.keys.join(', ')}, which nothing reads`
  if (issue.code === 'invalid_key') return `${place} ${issue.issues[0]?.message ?? 'has a name that is not allowed'}`
  return `${place} ${/^(is|has) /.test(issue.message) ? issue.message : `(${issue.message})`}`
}

/** The line of a value, or of what it is missing in. */
function lineAt(document: Document, lines: LineCounter, path: readonly PropertyKey[]): string {
  for (let length = path.length; length >= 0; length--) {
    const node: unknown = length === 0 ? document.contents : document.getIn(path.slice(0, length), true)
    const range = typeof node === 'object' && node !== null && 'range' in node ? node.range : null
    if (Array.isArray(range)) return `line ${lines.linePos(range[0] as number).line}`
  }
  return 'line 1'
}
