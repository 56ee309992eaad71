import { quoteIdentifier } from '../sinks/postgres/connection.ts'
import { type Condition, type Operand, pairOf } from './condition.ts'
import type { SqlParameters } from './sqlParameters.ts'

/** A condition as SQL over the columns of `alias`. Values are parameters. */
export function conditionSql(condition: Condition, parameters: SqlParameters, alias: string): string {
  if ('left' in condition) {
    return `${operandSql(condition.left, parameters, alias)} ${condition.is} ${operandSql(condition.right, parameters, alias)}`
  }
  if ('all' in condition) return joined(condition.all, 'AND', parameters, alias)
  if ('any' in condition) return joined(condition.any, 'OR', parameters, alias)
  if ('not' in condition) return `NOT (${conditionSql(condition.not, parameters, alias)})`
  return `${alias}.${quoteIdentifier(condition.isNull)} IS NULL`
}

function joined(parts: readonly Condition[], word: string, parameters: SqlParameters, alias: string): string {
  return parts.map((part) => `(${conditionSql(part, parameters, alias)})`).join(` ${word} `)
}

function operandSql(operand: Operand, parameters: SqlParameters, alias: string): string {
  if ('column' in operand) return `${alias}.${quoteIdentifier(operand.column)}`
  if ('value' in operand) return valueSql(operand.value, parameters)
  if ('abs' in operand) return `abs(${operandSql(operand.abs, parameters, alias)})`
  const sign = 'plus' in operand ? '+' : 'minus' in operand ? '-' : '*'
  const [left, right] = pairOf(operand)
  return `(${operandSql(left, parameters, alias)} ${sign} ${operandSql(right, parameters, alias)})`
}

/** The server takes text for what it stands beside: a decimal, a time, a word. */
function valueSql(value: string | number | boolean, parameters: SqlParameters): string {
  if (typeof value === 'number') return `${parameters.add(String(value))}::numeric`
  if (typeof value === 'boolean') return `${parameters.add(String(value))}::boolean`
  return parameters.add(value)
}
