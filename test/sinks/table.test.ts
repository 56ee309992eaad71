import { describe, expect, it } from 'vitest'
import { ConfigurationError } from '../../src/runtime/errors.ts'
import { rowText } from '../../src/sinks/postgres/columnText.ts'
import { table } from '../../src/sinks/table.ts'

const columns = {
  sensor: 'text',
  celsius: { type: 'numeric', from: (celsius: number) => celsius.toFixed(1) },
  note: 'text?',
  revision: 'integer',
} as const

describe('a table described by its columns', () => {
  const readings = table('readings', { columns, key: ['sensor'], revision: 'revision' })

  it('has them in the order in which they stand, with their types, nullable or not', () => {
    expect(readings).toMatchObject({ mode: 'upsert', name: 'readings', key: ['sensor'], revision: 'revision' })
    expect(readings.columns.map(({ name, type }) => `${name} ${type}`)).toEqual([
      'sensor text',
      'celsius numeric',
      'note text',
      'revision integer',
    ])
  })

  it('writes the field of the same name, converted where the column says how', () => {
    const row = { sensor: 'roof', celsius: 31.25, note: null, revision: 1 }
    expect(rowText(readings, row)).toEqual(['roof', '31.3', null, '1'])
  })

  it('is an append table without a key', () => {
    expect(table('lines', { columns: { line: 'text' } }).mode).toBe('append')
  })

  it('is refused at once where no table of PostgreSQL could fit', () => {
    expect(() => table('lines', { columns: {} })).toThrow(ConfigurationError)
    expect(() => table('', { columns })).toThrow(ConfigurationError)
    const floats = { at: 'double precision', revision: 'integer' } as const
    expect(() => table('readings', { columns: floats, key: ['at'], revision: 'revision' })).toThrow('use a numeric')
    expect(() => table('readings', { columns, key: [], revision: 'revision' })).toThrow('needs a natural key')
  })

  it('is refused with one of key and revision, which only JavaScript can leave out', () => {
    const half = { columns, key: ['sensor'] } as never
    expect(() => table('readings', half)).toThrow('key and revision belong together')
  })
})
