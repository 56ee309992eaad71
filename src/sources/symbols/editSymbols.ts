import { type Document, isMap, isSeq, type YAMLMap, type YAMLSeq } from 'yaml'
import { paddedAs } from './flowPadding.ts'
import type { ReadSymbols, SymbolsMarket } from './symbolsFile.ts'

/** The text of a new file, with one tier. */
export function newSymbolsText(market: SymbolsMarket): string {
  return `# Which symbols are taken from the exchange, and which of their streams. Each has the streams of its tier, or its own.
market: ${market}
tiers:
  standard:
    streams: [trade]
symbols:
`
}

/** A symbol to be added. */
export interface NewSymbol {
  readonly symbol: string
  readonly tier: string
  /** Undefined for those of the tier. */
  readonly streams: readonly string[] | undefined
}

/** The text with a symbol more at its end; comments and order stay. */
export function addSymbol({ document }: ReadSymbols, { symbol, tier, streams }: NewSymbol): void {
  const entry = document.createNode({ symbol, tier, ...(streams === undefined ? {} : { streams }) }, { flow: true })
  const list = document.get('symbols', true)
  if (isSeq(list)) list.add(entry)
  else document.set('symbols', document.createNode([entry]))
}

/** Without the symbol. */
export function removeSymbol({ document }: ReadSymbols, symbol: string): void {
  const { list, index } = placeOf(document, symbol)
  list.delete(index)
}

/** With the symbol enabled or disabled; what is so already stays as it is written. */
export function enableSymbol({ document }: ReadSymbols, symbol: string, isEnabled: boolean): void {
  const { list, index } = placeOf(document, symbol)
  const entry = list.items[index] as YAMLMap
  const known = entry.get('enabled') as boolean | undefined
  if ((known ?? true) !== isEnabled) entry.set('enabled', isEnabled)
}

/** The text of what was changed, written as the rest of it was. */
export function textOf({ document, text }: ReadSymbols): string {
  return paddedAs(text, document.toString({ lineWidth: 0, flowCollectionPadding: true }))
}

function placeOf(document: Document, symbol: string): { readonly list: YAMLSeq; readonly index: number } {
  const list = document.get('symbols', true)
  if (isSeq(list)) {
    const index = list.items.findIndex((item) => isMap(item) && item.get('symbol') === symbol)
    if (index >= 0) return { list, index }
  }
  throw new Error(`bug: ${symbol} is not in the document`)
}
