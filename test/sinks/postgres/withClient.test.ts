import { Writable } from 'node:stream'
import type pg from 'pg'
import { describe, expect, it } from 'vitest'
import { together } from '../../../src/sinks/postgres/withClient.ts'

/** A client whose statements are two messages each, sent as the driver sends them, and what its server got of them at once. */
function clientOf() {
  const pieces: string[] = []
  const stream = new Writable({
    write(chunk, _encoding, done) {
      pieces.push(String(chunk))
      done()
    },
    writev(chunks, done) {
      pieces.push(chunks.map(({ chunk }) => String(chunk)).join(''))
      done()
    },
  })
  const query = (text: string) => {
    stream.cork()
    stream.write(`${text}.`)
    stream.write('sync.')
    stream.uncork()
    return text === 'broken' ? Promise.reject(new Error('refused')) : Promise.resolve(text)
  }
  return { client: { connection: { stream } } as unknown as pg.ClientBase, query, pieces }
}

describe('statements that are asked together', () => {
  it('go out in one piece, and are answered in their order', async () => {
    const { client, query, pieces } = clientOf()
    expect(await together(client, () => [query('begin'), query('commit')])).toEqual(['begin', 'commit'])
    expect(pieces).toEqual(['begin.sync.commit.sync.'])
  })

  it('fail with what went wrong first once all are answered, and leave the connection to what comes next', async () => {
    const { client, query, pieces } = clientOf()
    await expect(together(client, () => [query('begin'), query('broken'), query('commit')])).rejects.toThrow('refused')
    await query('rollback')
    expect(pieces).toEqual(['begin.sync.broken.sync.commit.sync.', 'rollback.sync.'])
  })

  it('go out as far as they were asked where one cannot be', async () => {
    const { client, query, pieces } = clientOf()
    const asking = together(client, () => {
      const begun = query('begin')
      if (pieces.length === 0) throw new RangeError('too large')
      return [begun]
    })
    await expect(asking).rejects.toThrow('too large')
    expect(pieces).toEqual(['begin.sync.'])
  })
})
