import type { AlertEvent, AlertTransition } from '../../market/alertEvent.ts'

const words: Readonly<Record<AlertTransition, string>> = {
  firing: 'FIRING',
  resolved: 'resolved',
  noData: 'NO DATA',
  dataBack: 'data are back',
  flapping: 'FLAPPING',
  corrected: 'corrected',
}

const units: Readonly<Record<string, string>> = {
  change: ' %',
  lag: ' records behind',
  watermark: ' s behind in event time',
  checkpoint: ' s since the last commit',
  deadLetters: ' dead letters wait',
  gaps: ' gaps are open',
  outbox: ' s that the oldest message waits',
}

/** An alert in one line, for people. */
export function textOf(event: Omit<AlertEvent, 'text'>, isAbove: boolean, note: string): string {
  const { kind, transition, corrects, value, threshold, muted, isComplete } = event
  const untold = muted === 0 ? '' : `, and it fired ${muted} times untold before`
  const holes = isComplete ? '' : ', of candles that lack trades'
  return `${note === '' ? '' : `${note}: `}${headOf(event)}${factsOf()}${untold}${holes}${tailOf(event)}`

  function factsOf(): string {
    if (transition === 'noData') return 'has no candle any more'
    if (transition === 'dataBack') return 'has candles again'
    if (kind === 'gap') return transition === 'resolved' ? 'has no gap any more' : `lacks trades: ${value}`
    const compared = `${value}${units[kind] ?? ''}, threshold ${isAbove ? 'above' : 'below'} ${threshold}`
    if (transition === 'corrected') return `${kind} ${compared}: a candle was corrected, and "${corrects}" was not so`
    if (transition === 'flapping')
      return `${kind} ${compared}: it fires so often that nothing more is told until it is calm`
    return `${kind} ${compared}`
  }
}

/** The note of the rule, and what was seen, without what stands in columns of its own; of a text that is not ours all of it. */
export function partsOfText(event: AlertEvent): { readonly note: string; readonly seen: string } {
  const { text } = event
  const [head, tail] = [headOf(event), tailOf(event)]
  const at = text.indexOf(head)
  if (at < 0 || !text.endsWith(tail)) return { note: '', seen: text }
  return { note: text.slice(0, Math.max(0, at - 2)), seen: text.slice(at + head.length, -tail.length) }
}

function headOf({ transition, rule, symbol, interval }: Omit<AlertEvent, 'text'>): string {
  return `${words[transition]} ${rule}: ${interval === '' ? symbol : `${symbol} ${interval}`} `
}

function tailOf({ at }: Omit<AlertEvent, 'text'>): string {
  return `, ${new Date(at).toISOString()}`
}
