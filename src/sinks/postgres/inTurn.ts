import type pg from 'pg'
import { CopyOutQuery } from './copyOut.ts'

/**
 * The same client for who asks for several things at once: each statement is sent when the one before it has ended, whatever became of that, in the order in which they are asked for. So the server is at
 * work on the next one while its caller is at work on the answer. Whoever uses it uses no other client of the connection meanwhile.
 */
export function inTurn(client: pg.ClientBase): pg.ClientBase {
  let last: Promise<unknown> = Promise.resolve()
  const query = (...asked: Parameters<pg.ClientBase['query']>) => {
    const [statement] = asked as readonly unknown[]
    const answer = last.then(() => {
      const running: unknown = client.query(...asked)
      return statement instanceof CopyOutQuery ? statement.ended : running
    })
    last = answer.catch(() => undefined)
    return answer
  }
  return new Proxy(client, {
    get: (target, name) => (name === 'query' ? query : Reflect.get(target, name, target)),
  })
}
