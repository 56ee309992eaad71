import { suggest } from '../../runtime/suggest.ts'
import { addSymbol, enableSymbol, newSymbolsText, removeSymbol, textOf } from '../../sources/symbols/editSymbols.ts'
import { readSymbolsFile, symbolsText } from '../../sources/symbols/followSymbols.ts'
import { replaceFile } from '../../sources/symbols/replaceFile.ts'
import { parseSymbols, type ReadSymbols, type SymbolsFile } from '../../sources/symbols/symbolsFile.ts'
import { historyFor } from '../backfill/historyFor.ts'
import type { CommandContext } from '../commandContext.ts'
import { exitFailure, exitOk, UsageError } from '../exit.ts'
import { textTable } from '../textTable.ts'

/** Prints the symbols of the file. */
export async function listSymbols({ settings, output }: CommandContext): Promise<number> {
  const { market, symbols } = await readSymbolsFile(pathOf(settings))
  if (settings.json) {
    await output.out(`${JSON.stringify({ market, symbols }, null, 2)}\n`)
    return exitOk
  }
  const rows = symbols.map(({ symbol, tier, enabled, streams }) => [
    symbol,
    tier,
    enabled ? 'yes' : 'no',
    streams.join(', '),
  ])
  await output.out(`${textTable(['symbol', 'tier', 'enabled', 'streams'], rows).join('\n')}\n`)
  const enabled = symbols.filter((one) => one.enabled).length
  output.err(`${symbols.length} symbols of ${market}, ${enabled} enabled, in ${pathOf(settings)}.`)
  return exitOk
}

/** Adds symbols, after the exchange was asked whether it has them. */
export async function addSymbols(context: CommandContext): Promise<number> {
  const { settings } = context
  const names = namesOf(context)
  const path = pathOf(settings)
  const read = await readOrNew(context, path)
  const tier = settings.tier ?? onlyTier(path, read.file)
  if (!read.file.tiers.has(tier)) {
    const tiers = [...read.file.tiers.keys()]
    throw new UsageError(`${path} has no tier ${tier}${suggest(tier, tiers)}; its tiers are ${tiers.join(', ')}.`)
  }
  const known = new Set(read.file.symbols.map((one) => one.symbol))
  const added = names.filter((name) => !known.has(name))
  if (!settings.unchecked && added.length > 0) {
    const problems = await problemsOf(context, read.file.market, added)
    if (problems.length > 0) throw new UsageError(`${problems.join('; ')}. Nothing was added.`)
  }
  for (const symbol of added) addSymbol(read, { symbol, tier, streams: settings.symbolStreams })
  return store(context, path, read, [
    ...added.map((symbol) => `${symbol} added, tier ${tier}.`),
    ...names.filter((name) => known.has(name)).map((symbol) => `${symbol} is there already.`),
  ])
}

/** Takes symbols out of the file. */
export function removeSymbols(context: CommandContext): Promise<number> {
  return change(context, 'removed', removeSymbol)
}

/** Has symbols taken again. */
export function enableSymbols(context: CommandContext): Promise<number> {
  return change(context, 'enabled', (read, symbol) => enableSymbol(read, symbol, true))
}

/** Has symbols left out, and keeps them in the file. */
export function disableSymbols(context: CommandContext): Promise<number> {
  return change(context, 'disabled', (read, symbol) => enableSymbol(read, symbol, false))
}

/** Holds the file against the exchange: exit code 1 where a symbol is not there, or is not traded though it is enabled. */
export async function validateSymbols(context: CommandContext): Promise<number> {
  const { settings, output } = context
  const path = pathOf(settings)
  const { market, symbols } = await readSymbolsFile(path)
  const enabled = symbols.filter((one) => one.enabled).map((one) => one.symbol)
  const problems = await problemsOf(context, market, enabled)
  for (const problem of problems) await output.out(`${problem}.\n`)
  if (problems.length > 0) return exitFailure
  await output.out(`${path} is well formed, and the exchange trades all of its ${enabled.length} enabled symbols.\n`)
  return exitOk
}

function pathOf({ symbolsFile }: CommandContext['settings']): string {
  return symbolsFile ?? 'symbols.yaml'
}

function namesOf({ args }: CommandContext): readonly string[] {
  return [...new Set(args.map((name) => name.toUpperCase()))]
}

async function readOrNew({ settings, origins }: CommandContext, path: string): Promise<ReadSymbols> {
  // Of an exchange that invents its prices the file says what it speaks.
  const market = settings.market === 'simulated' ? 'spot' : settings.market
  let text: string
  try {
    text = await symbolsText(path)
  } catch (error) {
    if (!(error instanceof Error) || !isMissing(error.cause)) throw error
    text = newSymbolsText(market)
  }
  const read = parseSymbols(path, text)
  if (origins.market === 'flag' && market !== read.file.market)
    throw new UsageError(`${path} has symbols of ${read.file.market}, not of ${market}: name another --symbols-file.`)
  return read
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT'
}

function onlyTier(path: string, { tiers }: SymbolsFile): string {
  const names = [...tiers.keys()]
  const [only] = names
  if (only !== undefined && names.length === 1) return only
  throw new UsageError(`${path} has the tiers ${names.join(', ') || 'none'}: choose one with --tier NAME.`)
}

async function change(
  context: CommandContext,
  done: string,
  act: (read: ReadSymbols, symbol: string) => void,
): Promise<number> {
  const path = pathOf(context.settings)
  const read = parseSymbols(path, await symbolsText(path))
  const names = namesOf(context)
  const known = read.file.symbols.map((one) => one.symbol)
  const unknown = names.filter((name) => !known.includes(name))
  if (unknown.length > 0) {
    throw new UsageError(
      `${path} has no ${unknown.map((name) => `${name}${suggest(name, known)}`).join(', ')}. Nothing was changed.`,
    )
  }
  for (const name of names) act(read, name)
  return store(
    context,
    path,
    read,
    names.map((name) => `${name} ${done}.`),
  )
}

/** Only what can be read again is written. */
async function store(
  { output }: CommandContext,
  path: string,
  read: ReadSymbols,
  lines: readonly string[],
): Promise<number> {
  const text = textOf(read)
  parseSymbols(path, text)
  await replaceFile(path, text)
  for (const line of lines) await output.out(`${line}\n`)
  return exitOk
}

/** What is wrong with symbols by the exchange's own word. */
async function problemsOf(
  context: CommandContext,
  market: SymbolsFile['market'],
  symbols: readonly string[],
): Promise<readonly string[]> {
  // Names are names, whoever invents the prices.
  const known = await historyFor(context, market, new AbortController().signal, null).listing()
  return symbols.flatMap((symbol) => {
    const status = known.get(symbol)
    if (status === undefined) return [`the exchange has no ${symbol} on ${market}${suggest(symbol, [...known.keys()])}`]
    return status === 'TRADING' ? [] : [`${symbol} is not traded now (${status})`]
  })
}
