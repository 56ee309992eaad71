import pg from 'pg'

/** Runs statements so that one that is refused spoils nothing else of the transaction; gives what the server said about it. */
export async function attempt<T>(client: pg.ClientBase, run: () => Promise<T>): Promise<T | pg.DatabaseError> {
  await client.query('SAVEPOINT millrace_check')
  try {
    const result = await run()
    await client.query('RELEASE SAVEPOINT millrace_check')
    return result
  } catch (error) {
    if (!(error instanceof pg.DatabaseError) || isOver(error)) throw error
    await client.query('ROLLBACK TO SAVEPOINT millrace_check; RELEASE SAVEPOINT millrace_check')
    return error
  }
}

/** The transaction is lost with its session, or has to be run anew: that is not about the check. */
function isOver({ code }: pg.DatabaseError): boolean {
  return code === '40001' || code === '40P01' || code === '55P03' || code?.startsWith('57P') === true
}
