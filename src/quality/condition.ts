/** What a condition compares: a column of the row, a value, or what is calculated of them. Decimals are given as text and stay exact. */
export type Operand =
  | {
      /** Its value in the row. */
      readonly column: string
    }
  | { readonly value: string | number | boolean }
  | {
      /** The sum. */
      readonly plus: readonly [Operand, Operand]
    }
  | {
      /** The first less the second. */
      readonly minus: readonly [Operand, Operand]
    }
  | {
      /** The product. */
      readonly times: readonly [Operand, Operand]
    }
  | {
      /** Without its sign. */
      readonly abs: Operand
    }

/** How two operands are compared. */
export type Comparison = '=' | '<>' | '<' | '<=' | '>' | '>='

/** What must hold for a row, as data: it becomes SQL with parameters. A comparison with a null, or with a number that is not finite, does not hold. */
export type Condition =
  | {
      /** What stands before the sign. */
      readonly left: Operand
      /** The sign. */
      readonly is: Comparison
      /** What stands behind the sign. */
      readonly right: Operand
    }
  | {
      /** Each of them holds. */
      readonly all: readonly Condition[]
    }
  | {
      /** One of them holds. */
      readonly any: readonly Condition[]
    }
  | {
      /** It does not hold. */
      readonly not: Condition
    }
  | {
      /** A column that holds nothing. */
      readonly isNull: string
    }

/** The columns that a condition names. */
export function columnsOf(condition: Condition): readonly string[] {
  if ('left' in condition) return [...operandColumns(condition.left), ...operandColumns(condition.right)]
  if ('all' in condition) return condition.all.flatMap(columnsOf)
  if ('any' in condition) return condition.any.flatMap(columnsOf)
  if ('not' in condition) return columnsOf(condition.not)
  return [condition.isNull]
}

function operandColumns(operand: Operand): readonly string[] {
  if ('column' in operand) return [operand.column]
  if ('value' in operand) return []
  if ('abs' in operand) return operandColumns(operand.abs)
  return pairOf(operand).flatMap(operandColumns)
}

/** The operands of what is calculated of two. */
export function pairOf(
  operand: Exclude<Operand, { readonly column: string } | { readonly value: unknown } | { readonly abs: Operand }>,
): readonly [Operand, Operand] {
  if ('plus' in operand) return operand.plus
  return 'minus' in operand ? operand.minus : operand.times
}

/** In words, for reasons and reports. */
export function conditionText(condition: Condition): string {
  if ('left' in condition) return `${operandText(condition.left)} ${condition.is} ${operandText(condition.right)}`
  if ('all' in condition) return condition.all.map(partText).join(' and ')
  if ('any' in condition) return condition.any.map(partText).join(' or ')
  if ('not' in condition) return `not ${partText(condition.not)}`
  return `${condition.isNull} is null`
}

function partText(condition: Condition): string {
  return 'all' in condition || 'any' in condition ? `(${conditionText(condition)})` : conditionText(condition)
}

function operandText(operand: Operand): string {
  if ('column' in operand) return operand.column
  if ('value' in operand) return JSON.stringify(operand.value)
  if ('abs' in operand) return `|${operandText(operand.abs)}|`
  const sign = 'plus' in operand ? '+' : 'minus' in operand ? '-' : '*'
  const [left, right] = pairOf(operand)
  return `(${operandText(left)} ${sign} ${operandText(right)})`
}
