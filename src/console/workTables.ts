import type { InputFacts, LiveTable, OperatorFacts, OutletFacts } from './snapshot.ts'
import { countText, durationText, timeText } from './text.ts'

/** How far a run is in each of its inputs. */
export function inputTable(inputs: readonly InputFacts[]): LiveTable {
  return {
    headings: ['input', 'topic', 'next offset', 'records behind', 'time behind'],
    rows: inputs.map(({ name, topic, nextOffset, lagRecords, lagMs }) => [
      name,
      topic,
      countText(nextOffset),
      countText(lagRecords),
      lagMs === null ? '-' : durationText(Math.max(0, lagMs)),
    ]),
    droppable: ['next offset', 'topic'],
    note: null,
    rowsAre: 'inputs',
    ifEmpty: 'No input has begun.',
  }
}

/** What each operator has done, and holds. */
export function operatorTable(operators: readonly OperatorFacts[]): LiveTable {
  return {
    headings: ['operator', 'values in', 'values out', 'keys', 'open until'],
    rows: operators.map(({ name, valuesIn, valuesOut, keyCount, openUntil }) => [
      name,
      countText(valuesIn),
      countText(valuesOut),
      countText(keyCount),
      openUntil === null ? '-' : timeText(openUntil),
    ]),
    droppable: ['open until', 'keys'],
    note: heldText(operators),
    rowsAre: 'operators',
    ifEmpty: 'No operator has begun.',
  }
}

function heldText(operators: readonly OperatorFacts[]): string | null {
  const held = operators.flatMap(({ name, heldBy }) => (heldBy === null ? [] : [`${name} waits for ${heldBy}`]))
  return held.length === 0 ? null : held.join('; ')
}

/** What each outlet has had committed, and has to send. */
export function outletTable(outlets: readonly OutletFacts[]): LiveTable {
  return {
    headings: ['outlet', 'to', 'what', 'committed', 'a second', 'waiting', 'refused'],
    rows: outlets.map(({ outlet, to, kind, count, perS, waiting, refused }) => [
      outlet,
      to,
      kind,
      countText(count),
      countText(perS),
      kind === 'rows' ? '-' : countText(waiting),
      kind === 'rows' ? '-' : countText(refused),
    ]),
    droppable: ['what', 'to'],
    note: null,
    rowsAre: 'outlets',
    ifEmpty: 'No outlet for rows or messages.',
  }
}

/** The same in a few words: what was committed, and what is in the way where something is. */
export function outletsBrief(outlets: readonly OutletFacts[]): string | null {
  if (outlets.length === 0) return null
  return outlets
    .map(({ outlet, count, waiting, refused }) => {
      const asides = [
        ...(waiting === 0 ? [] : [`${countText(waiting)} waiting`]),
        ...(refused === 0 ? [] : [`${countText(refused)} refused`]),
      ]
      return `${outlet} ${countText(count)}${asides.length === 0 ? '' : ` (${asides.join(', ')})`}`
    })
    .join(', ')
}
