import { conditionText } from './condition.ts'
import type { Aggregate, Expectation, Range } from './expectation.ts'

/** What an expectation is called in results, reports and quarantine. */
export function expectationName(expectation: Expectation): string {
  return expectation.name ?? expectationText(expectation)
}

/** What is expected, in words. */
export function expectationText(expectation: Expectation): string {
  switch (expectation.kind) {
    case 'notNull':
      return `${expectation.column} is not null`
    case 'unique':
      return `${expectation.columns.join(', ')} ${expectation.columns.length === 1 ? 'is' : 'are'} unique`
    case 'acceptedValues':
      return `${expectation.column} is one of ${listed(expectation.values.map(String))}`
    case 'range':
      return rangeText(expectation.column, expectation)
    case 'order':
      return expectation.columns.join(expectation.strictly === true ? ' < ' : ' <= ')
    case 'matches':
      return `${expectation.column} matches ${expectation.pattern}`
    case 'holds':
      return conditionText(expectation.that)
    case 'references':
      return `${expectation.columns.join(', ')} ${expectation.columns.length === 1 ? 'is' : 'are'} in ${expectation.table}`
    case 'increasing':
      return `${expectation.column} ${expectation.strictly === true ? 'grows' : 'never falls'} with time`
    case 'complete':
      return `a row for each ${durationText(expectation.every)}`
    case 'fresh':
      return `the newest row is at most ${durationText(expectation.within)} old`
    case 'rowCount':
      return rangeText('the number of rows', expectation)
    case 'aggregate':
      return rangeText(`${aggregateWords[expectation.of]} ${expectation.column}`, expectation)
    case 'equals':
      return `equal to ${expectation.table}: ${listed(expectation.columns.map((one) => (typeof one === 'string' ? one : one.column)))}`
    case 'shape':
      return `has the columns ${listed(Object.keys(expectation.columns))}${expectation.exactly === true ? ' and no others' : ''}`
  }
}

const aggregateWords: Readonly<Record<Aggregate['of'], string>> = {
  sum: 'the sum of',
  average: 'the average of',
  least: 'the least',
  greatest: 'the greatest',
  distinct: 'the number of different',
  deviation: 'the standard deviation of',
}

function rangeText(what: string, { min, max, above, below }: Partial<Pick<Range, 'min' | 'max' | 'above' | 'below'>>) {
  const parts = [
    min === undefined ? null : `at least ${min}`,
    above === undefined ? null : `more than ${above}`,
    max === undefined ? null : `at most ${max}`,
    below === undefined ? null : `less than ${below}`,
  ].filter((part) => part !== null)
  return `${what} is ${parts.join(' and ')}`
}

export function durationText(duration: number | string): string {
  return typeof duration === 'number' ? `${duration} ms` : duration
}

const mostListed = 8

function listed(words: readonly string[]): string {
  return words.length <= mostListed
    ? words.join(', ')
    : `${words.slice(0, mostListed).join(', ')} and ${words.length - mostListed} more`
}
