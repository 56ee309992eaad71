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
export function textOf(event: Omit<AlertEvent, 'text'>, isAbove: boolean): string {
  const { rule, kind, symbol, interval, transition, corrects, value, threshold, muted, at, isComplete } = event
  const what = interval === '' ? symbol : `${symbol} ${interval}`
  const head = `${words[transition]} ${rule}: ${what}`
  const untold = muted === 0 ? '' : `, and it fired ${muted} times untold before`
  const holes = isComplete ? '' : ', of candles that lack trades'
  return `${head} ${factsOf()}${untold}${holes}, ${new Date(at).toISOString()}`

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
