/** The column of every upsert table that says whose the row is: a number of `row_owner`, or NULL for a row of before there was the column. */
export const ownerColumn = 'row_owner'
