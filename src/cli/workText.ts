import { countText } from '../console/text.ts'
import { inputTable, operatorTable, outletTable } from '../console/workTables.ts'
import type { WorkReport } from '../host/runReport.ts'
import { textTable } from './textTable.ts'

/** The inputs, operators and outlets of a pipeline that runs, as lines below its heading. */
export function workText({ deadLetters, inputs, operators, outlets }: WorkReport): readonly string[] {
  const tables = [inputTable(inputs), operatorTable(operators), outletTable(outlets)]
  return [
    `  ${countText(deadLetters)} dead letters since its start`,
    ...tables
      .filter(({ rows }) => rows.length > 0)
      .flatMap(({ headings, rows, note }) => [
        '',
        ...textTable(headings, rows, '  '),
        ...(note === null ? [] : [`  ${note}`]),
      ]),
    '',
  ]
}
