import { readFileSync } from 'node:fs'
import { z } from 'zod'
import { type Fixed8, parseFixed8 } from '../exact/decimal.ts'
import type { OwnTrade } from '../market/portfolio.ts'
import { ConfigurationError } from '../runtime/errors.ts'
import { parseYaml } from '../sources/yamlFile.ts'

/** What a file of a portfolio says. */
export interface PortfolioFile {
  readonly market: 'spot' | 'usdm' | 'simulated'
  readonly staleAfterMs: number
  /** In the order of their time. */
  readonly trades: readonly OwnTrade[]
}

const decimal = z.union([z.string(), z.number()]).transform((value, context): Fixed8 => {
  const units = parseFixed8(String(value))
  if (units === null) {
    context.addIssue({ code: 'custom', message: 'is no decimal number of at most 8 places, such as 0.25' })
    return z.NEVER
  }
  return units
})

const fileSchema = z.strictObject({
  market: z.enum(['spot', 'usdm', 'simulated']).default('spot'),
  staleAfterMinutes: z.int().min(1).max(1_440).default(5),
  trades: z
    .array(
      z.strictObject({
        at: z.iso.datetime({ offset: true }).transform((text) => Date.parse(text)),
        side: z.enum(['buy', 'sell']),
        symbol: z.string().min(1).max(50),
        quantity: decimal,
        price: decimal,
        fee: decimal.default(0),
      }),
    )
    .min(1)
    .max(100_000),
})

/** Reads the text of a portfolio. Throws `ConfigurationError` with every problem and its line. */
export function parsePortfolio(name: string, text: string): PortfolioFile {
  const { data } = parseYaml(name, 'portfolio', text, 16 * 1024 * 1024, fileSchema)
  return {
    market: data.market,
    staleAfterMs: data.staleAfterMinutes * 60_000,
    trades: data.trades.toSorted((a, b) => a.at - b.at),
  }
}

/** Reads a portfolio. Throws `ConfigurationError` for one that is not there or not well formed. */
export function readPortfolio(path: string): PortfolioFile {
  try {
    return parsePortfolio(path, readFileSync(path, 'utf8'))
  } catch (error) {
    if (error instanceof ConfigurationError) throw error
    const code = error instanceof Error && 'code' in error ? String(error.code) : String(error)
    throw new ConfigurationError(
      `${path} cannot be read (${code}). docs/platform/portfolio.md has one to begin with; name another with --portfolio-file.`,
      { cause: error },
    )
  }
}
