import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import yauzl from 'yauzl'
import { bundleFiles } from '../../scripts/superset/bundle.ts'
import { charts, dataset, timeColumn } from '../../scripts/superset/declarations.ts'
import { zipOf } from '../../scripts/superset/zip.ts'
import { type TestDatabase, testDatabase } from '../support/postgres.ts'

const path = join(resolve(import.meta.dirname, '../..'), 'ops/superset/millrace.zip')

/** The files of an archive, by a reader that is not ours. */
function unpacked(bytes: Buffer): Promise<ReadonlyMap<string, string>> {
  return new Promise((done, failed) => {
    yauzl.fromBuffer(bytes, { lazyEntries: true }, (error, zip) => {
      if (error) return failed(error)
      const files = new Map<string, string>()
      zip.on('error', failed)
      zip.on('end', () => done(files))
      zip.on('entry', (entry: yauzl.Entry) => {
        zip.openReadStream(entry, (wrong, stream) => {
          if (wrong) return failed(wrong)
          let text = ''
          stream.setEncoding('utf8')
          stream.on('data', (part: string) => {
            text += part
          })
          stream.on('end', () => {
            files.set(entry.fileName, text)
            zip.readEntry()
          })
        })
      })
      zip.readEntry()
    })
  })
}

describe('the bundle for Superset', () => {
  let db: TestDatabase
  beforeAll(async () => {
    db = await testDatabase()
  })
  afterAll(() => db?.close())

  it('is what its declarations say: after a change of them, `node scripts/writeSuperset.ts`', async () => {
    const bytes = readFileSync(path)
    expect(bytes.equals(zipOf(bundleFiles()))).toBe(true)
    expect(await unpacked(bytes)).toEqual(bundleFiles())
  })

  it('holds no password, and no time that is not in quotes', () => {
    for (const [name, text] of bundleFiles()) {
      expect(text, name).not.toMatch(/:\/\/[^/\s]*:[^/\s]*@/)
      // What YAML takes for a time is refused by Superset.
      expect(text, name).not.toMatch(/: \d{4}-\d\d-\d\dT/)
      expect(parse(text), name).toBeTypeOf('object')
    }
  })

  it('names columns that the table has, and each chart is a query that PostgreSQL answers', async () => {
    const { rows } = await db.pool.query<{ name: string }>(
      'SELECT column_name AS name FROM information_schema.columns WHERE table_schema = $1 AND table_name = $2',
      [db.schema, dataset.table],
    )
    const known = rows.map(({ name }) => name)
    for (const { name } of dataset.columns) expect(known).toContain(name)
    for (const { x, groups, metric, name } of charts) {
      const expression = dataset.metrics.find((one) => one.name === metric)?.expression
      expect(expression, name).toBeDefined()
      const by = [x, ...groups].map((column) => `"${column}"`).join(', ')
      const query = `SELECT ${by}, ${expression} AS value FROM ${dataset.table} WHERE ${timeColumn} > now() GROUP BY ${by}`
      expect((await db.pool.query(query)).rows, name).toEqual([])
    }
  })
})
