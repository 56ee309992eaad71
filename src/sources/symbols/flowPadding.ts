import { isCollection, isMap, parseDocument, visit } from 'yaml'

/** Whether lists and maps in one line have blanks inside of their brackets, as `[ a ]` and `{ a: b }` do. */
interface FlowPadding {
  readonly ofLists: boolean
  readonly ofMaps: boolean
}

/** A text of YAML that was written with blanks inside of all brackets, as the text before had them: the first list and the first map of that one decide. */
export function paddedAs(before: string, text: string): string {
  const wanted = paddingOf(before)
  const cuts: number[] = []
  for (const { start, end, isList } of flowsOf(text)) {
    if (isList ? wanted.ofLists : wanted.ofMaps) continue
    if (isPadded(text, start, end)) cuts.push(start + 1, end - 2)
  }
  let cut = text
  for (const at of cuts.sort((one, other) => other - one)) cut = cut.slice(0, at) + cut.slice(at + 1)
  return cut
}

function paddingOf(text: string): FlowPadding {
  const flows = flowsOf(text)
  const ofKind = (isList: boolean) => flows.find((flow) => flow.isList === isList)
  const list = ofKind(true)
  const map = ofKind(false)
  return {
    ofLists: list !== undefined && isPadded(text, list.start, list.end),
    ofMaps: map === undefined || isPadded(text, map.start, map.end),
  }
}

function isPadded(text: string, start: number, end: number): boolean {
  return text[start + 1] === ' ' && text[end - 2] === ' ' && end - start > 3
}

/** Lists and maps in one line, with the places of their brackets. */
function flowsOf(text: string): readonly { readonly start: number; readonly end: number; readonly isList: boolean }[] {
  const flows: { start: number; end: number; isList: boolean }[] = []
  visit(parseDocument(text), {
    Collection: (_key, node) => {
      if (!isCollection(node) || node.flow !== true || node.range == null) return
      const [start, end] = node.range
      if (!text.slice(start, end).includes('\n')) flows.push({ start, end, isList: !isMap(node) })
    },
  })
  return flows
}
