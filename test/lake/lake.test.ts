import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { dataFiles } from '../../src/lake/dataFile.ts'
import { type LakeWrite, writeLake } from '../../src/lake/lake.ts'
import { expireLake, sweepLake } from '../../src/lake/lakeCleanup.ts'
import { LakeConflict, type LakePlace, prepareCommit, readCommitted } from '../../src/lake/lakeCommit.ts'
import { readLiveFiles, readLiveManifests } from '../../src/lake/lakeFacts.ts'
import { type LakeRow, type LakeTable, lakeTable } from '../../src/lake/lakeTable.ts'
import { serveCatalog } from '../../src/lake/restCatalog.ts'
import { BadRowError } from '../../src/runtime/badRow.ts'
import { ConfigurationError } from '../../src/runtime/errors.ts'
import { directoryStore } from '../../src/sinks/objects/directoryStore.ts'
import { type TestDatabase, testDatabase } from '../support/postgres.ts'

const day = 86_400_000
const start = Date.parse('2026-01-15T00:00:00Z')
const columns = { symbol: 'string', at: 'timestamptz', price: 'decimal(18,8)' } as const
const row = (at: number, price = '1.5'): LakeRow => ({ symbol: 'A', at, price })

let made = 0
function newTable(more: Record<string, 'string?'> = {}, name = `market.t${++made}`): LakeTable {
  return lakeTable(name, { columns: { ...columns, ...more }, key: ['symbol', 'at'], day: 'at' })
}

describe('a lake', { timeout: 60_000 }, () => {
  let db: TestDatabase
  let client: pg.PoolClient
  const folder = mkdtempSync(join(tmpdir(), 'millrace-lake-'))
  const place: LakePlace = { store: directoryStore(folder), keyPrefix: 'lake/', catalog: 'millrace' }
  const objects = () =>
    readdirSync(join(folder, 'lake'), { recursive: true, withFileTypes: true }).filter((one) => one.isFile()).length
  const write = (one: LakeWrite, at = start) => writeLake(client, place, one, at)
  beforeAll(async () => {
    db = await testDatabase()
    client = await db.pool.connect()
  })
  afterAll(async () => {
    client.release()
    await db.close()
    rmSync(folder, { recursive: true, force: true })
  })

  it('cuts files by day, and rewrites the manifest of a month only where it has changed', async () => {
    const table = newTable()
    await write({ table, mode: 'append', rows: [row(start), row(start + day), row(start + 31 * day)] })
    const before = await readLiveManifests(client, `market.${table.name}`)
    expect(before).toHaveLength(2)
    await write({ table, mode: 'replace-days', rows: [row(start + 31 * day, '2')] })
    const [january, february] = await readLiveManifests(client, `market.${table.name}`)
    expect(january).toEqual(before[0])
    expect(february?.facts.files).toEqual([0, 1, 1])
    expect(
      (await readLiveFiles(client, `market.${table.name}`)).map(({ rowCount, added }) => [rowCount, added]),
    ).toEqual([
      [1, 1],
      [1, 1],
      [1, 2],
    ])
  })

  it('makes no commit of what is there already', async () => {
    const table = newTable()
    const rows = [row(start)]
    expect(await write({ table, mode: 'replace-days', rows })).toMatchObject({ sequence: 1 })
    expect(await write({ table, mode: 'replace-days', rows })).toBeNull()
    await expect(write({ table, mode: 'append', rows })).rejects.toThrow('has these very rows already')
  })

  it('takes a column more, and nothing else', async () => {
    const table = newTable()
    await write({ table, mode: 'append', rows: [row(start)] })
    const wider = newTable({ note: 'string?' }, `market.${table.name}`)
    expect(await write({ table: wider, mode: 'append', rows: [{ ...row(start + 1), note: 'x' }] })).toMatchObject({
      sequence: 2,
    })
    await expect(write({ table, mode: 'append', rows: [row(start + 2)] })).rejects.toThrow('may add optional columns')
    const other = lakeTable(`market.${table.name}`, { columns: { ...columns, price: 'decimal(18,2)' } })
    await expect(write({ table: other, mode: 'append', rows: [row(start + 2)] })).rejects.toThrow(ConfigurationError)
  })

  it.each<[string, LakeRow]>([
    ['no text', { symbol: 1, at: start, price: '1' }],
    ['half a character', { symbol: '\ud800', at: start, price: '1' }],
    ['null where there has to be something', { symbol: null, at: start, price: '1' }],
    ['more digits than the scale', row(start, '0.000000001')],
    ['more digits than the precision', row(start, '12345678901')],
    ['a float for a decimal', { symbol: 'A', at: start, price: 1.5 }],
    ['half a ms', row(0.5)],
  ])('refuses a row with %s', (_what, bad) => {
    expect(() => dataFiles(newTable(), [bad])).toThrow(BadRowError)
  })

  it('is cut as it was, and not otherwise', async () => {
    const table = newTable()
    await write({ table, mode: 'append', rows: [row(start)] })
    const whole = lakeTable(`market.${table.name}`, { columns, key: ['symbol', 'at'] })
    await expect(write({ table: whole, mode: 'replace', rows: [row(start, '2')] })).rejects.toThrow(
      'its files are cut by the day of at, and the descriptor would cut them by no day',
    )
    const wholeFirst = { ...whole, name: `${table.name}_whole` }
    await write({ table: wholeFirst, mode: 'append', rows: [row(start)] })
    await expect(
      write({ table: { ...wholeFirst, day: 'at' }, mode: 'append', rows: [row(start, '2')] }),
    ).rejects.toThrow('its files are cut by no day, and the descriptor would cut them by the day of at')
  })

  it('lets one of two commits on the same ground through, and makes the other again', async () => {
    const table = newTable()
    const prepare = async (at: number) =>
      prepareCommit(
        await readCommitted(client, table),
        place,
        table,
        { added: dataFiles(table, [row(at)]), removed: [] },
        start,
      )
    const [one, two] = [await prepare(start), await prepare(start + 1)]
    await client.query('BEGIN')
    await one?.apply(client)
    await client.query('COMMIT')
    await client.query('BEGIN')
    await expect(two?.apply(client)).rejects.toThrow(LakeConflict)
    await client.query('ROLLBACK')
    const others = await Promise.all([1, 2].map(() => db.pool.connect()))
    const written = await Promise.all(
      others.map((other, i) => writeLake(other, place, { table, mode: 'append', rows: [row(start + 10 + i)] }, start)),
    )
    for (const other of others) other.release()
    expect(written.map((each) => each?.sequence).sort()).toEqual([2, 3])
    expect(await readLiveFiles(client, `market.${table.name}`)).toHaveLength(3)
  })

  it('sweeps what a crash has left, and nothing else', async () => {
    const table = newTable()
    await write({ table, mode: 'append', rows: [row(start)] })
    await sweepLake(client, place, { isDeleting: true })
    const before = objects()
    await prepareCommit(
      await readCommitted(client, table),
      place,
      table,
      { added: dataFiles(table, [row(start + 1)]), removed: [] },
      start,
    )
    // Of a table whose first commit it would have been.
    const unborn = newTable()
    await prepareCommit(
      await readCommitted(client, unborn),
      place,
      unborn,
      { added: dataFiles(unborn, [row(start)]), removed: [] },
      start,
    )
    const orphans = await sweepLake(client, place, { isDeleting: false })
    expect(orphans).toHaveLength(objects() - before)
    expect(orphans.length).toBeGreaterThan(6)
    expect(await sweepLake(client, place, { isDeleting: true })).toEqual(orphans)
    expect(objects()).toBe(before)
  })

  it('forgets old snapshots with the files that only they need', async () => {
    const table = newTable()
    const first = [row(start), row(start + day)]
    await write({ table, mode: 'append', rows: first }, start)
    await write({ table, mode: 'replace-days', rows: [row(start, '2')] }, start + 1)
    // The first day as it was at first: its file is needed again.
    await write({ table, mode: 'replace-days', rows: [row(start)] }, start + 2)
    await write({ table, mode: 'append', rows: [row(start + 2 * day)] }, start + 10 * day)
    await sweepLake(client, place, { isDeleting: true })
    const before = objects()
    const keep = { keepSnapshots: 1, keepMs: 5 * day }
    expect(await expireLake(client, place, { ...keep, now: start + 4 * day })).toEqual([])
    const expired = (await expireLake(client, place, { ...keep, now: start + 11 * day })).filter(
      (one) => one.table === `market.${table.name}`,
    )
    expect(expired).toMatchObject([{ snapshots: 3 }])
    expect(objects()).toBeLessThan(before)
    for (const file of await readLiveFiles(client, `market.${table.name}`)) {
      expect(await place.store.get(`lake/market/${table.name}/${file.path}`), file.path).not.toBeNull()
    }
    expect(await sweepLake(client, place, { isDeleting: false })).toEqual([])
    await expect(expireLake(client, place, { ...keep, keepSnapshots: 0, now: start })).rejects.toThrow('from 1')
  })

  it('leaves a lake alone that lies below its own prefix', async () => {
    const store = directoryStore(mkdtempSync(join(tmpdir(), 'millrace-lakes-')))
    const outer: LakePlace = { store, keyPrefix: '', catalog: 'millrace' }
    const inner: LakePlace = { store, keyPrefix: 'simulated/', catalog: 'millrace' }
    const databases = [await testDatabase(), await testDatabase()] as const
    const [ours, theirs] = [await databases[0].pool.connect(), await databases[1].pool.connect()]
    try {
      for (const [its, place] of [
        [ours, outer],
        [theirs, inner],
      ] as const) {
        await writeLake(its, place, { table: newTable(), mode: 'append', rows: [row(start)] }, start)
      }
      expect(await sweepLake(ours, outer, { isDeleting: true })).toEqual([])
      expect(await sweepLake(theirs, inner, { isDeleting: true })).toEqual([])
    } finally {
      ours.release()
      theirs.release()
      for (const one of databases) await one.close()
      rmSync(fileURLToPath(store.location), { recursive: true, force: true })
    }
  })

  it('is cleaned up where its files are, and nowhere else', async () => {
    const elsewhere: LakePlace = { ...place, keyPrefix: 'other/' }
    await write({ table: newTable(), mode: 'append', rows: [row(start)] })
    const options = { keepSnapshots: 1, keepMs: 0, now: start }
    await expect(expireLake(client, elsewhere, options)).rejects.toThrow('Give the place that it was made in')
    await expect(sweepLake(client, elsewhere, { isDeleting: true })).rejects.toThrow('its files are in')
  })

  it('is its database’s own', async () => {
    const other = await testDatabase()
    const its = await other.pool.connect()
    try {
      await expect(
        writeLake(its, place, { table: newTable(), mode: 'append', rows: [row(start)] }, start),
      ).rejects.toThrow('belongs to another database')
      await expect(sweepLake(its, place, { isDeleting: true })).rejects.toThrow('belongs to another database')
    } finally {
      its.release()
      await other.close()
    }
  })

  describe('as a catalog over HTTP', () => {
    const token = 'x'.repeat(32)
    const get = (url: string, headers: Record<string, string> = {}, method = 'GET') =>
      new Promise<{ status: number | undefined; body: string }>((resolve, reject) => {
        const asked = request(url, { method, headers }, (response) => {
          let body = ''
          response.on('data', (piece: Buffer) => {
            body += piece.toString()
          })
          response.on('end', () => resolve({ status: response.statusCode, body }))
        })
        asked.on('error', reject)
        asked.end()
      })
    const never = (error: unknown) => {
      throw error
    }

    it('shows namespaces, tables and their metadata, and changes nothing', async () => {
      const table = newTable()
      const written = await write({ table, mode: 'append', rows: [row(start)] })
      const catalog = await serveCatalog(db.pool, place, { host: '127.0.0.1', port: 0 }, never)
      const at = (path: string) => `${catalog.url}/v1/millrace/namespaces${path}`
      try {
        expect(JSON.parse((await get(`${catalog.url}/v1/config`)).body)).toMatchObject({
          overrides: { prefix: 'millrace' },
        })
        expect(JSON.parse((await get(at(''))).body)).toEqual({ namespaces: [['market']] })
        expect((await get(at('/market/tables'))).body).toContain(`"${table.name}"`)
        const loaded = await get(at(`/market/tables/${table.name}`))
        expect(JSON.parse(loaded.body)).toMatchObject({
          'metadata-location': written?.metadata,
          metadata: { 'format-version': 2, 'last-sequence-number': 1 },
        })
        expect(await get(at(`/market/tables/${table.name}`), {}, 'HEAD')).toMatchObject({ status: 204 })
        expect(await get(at('/market/tables/none'))).toMatchObject({ status: 404 })
        const none = await get(at('/none'))
        expect([none.status, JSON.parse(none.body).error.type]).toEqual([404, 'NoSuchNamespaceException'])
        // What Spark asks first for `market.t1.snapshots`: it goes on where it is told that there is no such table.
        const known = await get(at(`/market%1F${table.name}/tables/snapshots`))
        expect([known.status, JSON.parse(known.body).error.type]).toEqual([404, 'NoSuchTableException'])
        expect(await get(at('/market/tables'), {}, 'POST')).toMatchObject({ status: 405 })
        expect(await get(at(''), { host: 'evil.example' })).toMatchObject({ status: 403 })
      } finally {
        await catalog.close()
      }
    })

    it('wants its token where it has one, and has one where others reach it', async () => {
      const catalog = await serveCatalog(db.pool, place, { host: '127.0.0.1', port: 0, token }, never)
      try {
        expect(await get(`${catalog.url}/v1/config`)).toMatchObject({ status: 401 })
        expect(await get(`${catalog.url}/v1/config`, { authorization: `Bearer ${token}` })).toMatchObject({
          status: 200,
        })
      } finally {
        await catalog.close()
      }
      await expect(serveCatalog(db.pool, place, { host: '0.0.0.0', port: 0 }, never)).rejects.toThrow(
        ConfigurationError,
      )
      await expect(serveCatalog(db.pool, place, { host: '127.0.0.1', port: 0, token: 'short' }, never)).rejects.toThrow(
        '32 characters',
      )
    })
  })
})

it.each<[string, () => unknown]>([
  ['a name without a namespace', () => lakeTable('trades', { columns })],
  ['a name that SQL would have to quote', () => lakeTable('market.Trades', { columns })],
  ['no columns', () => lakeTable('market.trades', { columns: {} })],
  ['a type that there is not', () => lakeTable('market.trades', { columns: { a: 'text' as 'string' } })],
  ['a decimal too wide', () => lakeTable('market.trades', { columns: { a: 'decimal(39,2)' } })],
  ['a key that is no column', () => lakeTable('market.trades', { columns, key: ['id'] })],
  ['a key that may be null', () => lakeTable('market.trades', { columns: { a: 'string?' }, key: ['a'] })],
  ['days of a column that is no time', () => lakeTable('market.trades', { columns, day: 'symbol' })],
])('a lake table with %s is refused', (_what, make) => {
  expect(make).toThrow(ConfigurationError)
})
