/**
 * The column of every upsert table that says whose the row is: a number of `row_owner`, or NULL for a row of before there was the column, or that anybody may have. A negative
 * number is that of the hand-over (`row_handover`) by which the row was given to tasks that begin after it.
 */
export const ownerColumn = 'row_owner'

/** In SQL, of a row with another owner than the task: whether it is not the task's all the same, because it was given away before that began. */
export function isNotGivenTo(rowOwner: string, task: string): string {
  return `(${rowOwner} > 0 OR NOT EXISTS (SELECT FROM row_owner AS began WHERE began.id = ${task} AND began.begun_after >= -${rowOwner}))`
}
