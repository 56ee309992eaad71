import type { Document } from 'yaml'
import { z } from 'zod'
import { parseYaml, yamlProblems } from '../yamlFile.ts'
import { isStreamName, streamsAllowed } from './streamName.ts'

/** One symbol of the file, with what its tier says filled in. */
export interface SymbolEntry {
  readonly symbol: string
  readonly tier: string
  readonly enabled: boolean
  /** Its own, or those of its tier. */
  readonly streams: readonly string[]
}

/** Whose symbols a file has. */
export type SymbolsMarket = (typeof symbolsMarkets)[number]

/** What a file of symbols says. */
export interface SymbolsFile {
  readonly market: SymbolsMarket
  readonly tiers: ReadonlyMap<string, readonly string[]>
  /** In the order of the file. */
  readonly symbols: readonly SymbolEntry[]
}

const maxBytes = 1024 * 1024
const maxSymbols = 2_000
const maxTiers = 50

export const symbolsMarkets = ['spot', 'usdm', 'coinbase'] as const

const binanceSymbol = /^[\p{Lu}\p{Lo}\p{N}_]{1,40}$/u
/** How symbols are written, by whose they are. */
const spelling: Readonly<Record<SymbolsMarket, { readonly pattern: RegExp; readonly text: string }>> = {
  spot: { pattern: binanceSymbol, text: 'a symbol in upper case, such as BTCUSDT' },
  usdm: { pattern: binanceSymbol, text: 'a symbol in upper case, such as BTCUSDT' },
  coinbase: { pattern: /^[A-Z0-9]{1,24}-[A-Z0-9]{1,24}$/, text: 'a product of Coinbase, such as BTC-USD' },
}

const streams = z
  .array(z.string().refine(isStreamName, { error: `is no stream; allowed: ${streamsAllowed}` }))
  .min(1)
  .max(20)

const fileSchema = z.strictObject({
  market: z.enum(symbolsMarkets).default('spot'),
  tiers: z
    .record(
      z.string().regex(/^[a-z][a-z0-9_-]{0,39}$/, 'is no name of a tier: lower-case letters, digits, - and _'),
      z.strictObject({ streams }),
    )
    .refine((tiers) => Object.keys(tiers).length <= maxTiers, `has more than ${maxTiers} tiers`),
  symbols: z
    .array(
      z.strictObject({
        symbol: z.string().min(1).max(50),
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
  const { document, data, lineOf } = parseYaml(name, 'list of symbols', text, maxBytes, fileSchema)
  const { market, tiers, symbols } = data
  const problems: string[] = []
  const seen = new Set<string>()
  const { pattern, text: spelled } = spelling[market]
  for (const [index, { symbol, tier, streams: own }] of symbols.entries()) {
    const line = lineOf(['symbols', index, 'symbol'])
    if (!pattern.test(symbol)) problems.push(`${line}: ${symbol} is not ${spelled}`)
    const other =
      market === 'coinbase' ? (own ?? tiers[tier]?.streams ?? []).find((name) => name !== 'trade') : undefined
    if (other !== undefined)
      problems.push(`${line}: ${symbol} has the stream ${other}, and of Coinbase trades alone are taken`)
    if (seen.has(symbol)) problems.push(`${line}: ${symbol} is there twice`)
    seen.add(symbol)
    if (!Object.hasOwn(tiers, tier)) {
      problems.push(
        `${lineOf(['symbols', index, 'tier'])}: ${symbol} has the tier ${tier}, and the tiers are ${Object.keys(tiers).join(', ') || 'none'}`,
      )
    }
  }
  if (problems.length > 0) throw yamlProblems(name, problems)
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
