/** A count of 1e-8: a number while that is a safe integer, a bigint beyond. Never a float, never wraps. */
export type Fixed8 = number | bigint

/** A count of 1e-16. */
export type Fixed16 = bigint
