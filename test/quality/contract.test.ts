import { expect, it } from 'vitest'
import { contractText } from '../../src/quality/contract.ts'
import { dbtFiles } from '../../src/quality/dbtFiles.ts'
import { defineQuality } from '../../src/quality/quality.ts'

/** One expectation of each kind. */
const readings = defineQuality({
  table: 'reading',
  by: ['sensor'],
  time: 'at',
  description: 'What sensors have measured.',
  columns: {
    sensor: { type: 'text', description: 'Its name.' },
    at: { type: 'timestamp with time zone', description: 'When.' },
    celsius: { type: 'numeric', description: 'How warm it was.' },
    unit: { type: 'text', description: 'Always C.' },
    low: 'What the sensor cannot go below.',
  },
  only: { left: { column: 'unit' }, is: '<>', right: { value: "it's {{ nothing }}" } },
  expectations: [
    { kind: 'notNull', column: 'sensor', description: 'A reading without a sensor is of no use.' },
    { kind: 'unique', columns: ['sensor', 'at'] },
    { kind: 'acceptedValues', column: 'unit', values: ['C'], nullable: true, severity: 'warn' },
    { kind: 'range', column: 'celsius', min: '-89.2', below: 60, allow: { rows: 3 } },
    { kind: 'order', columns: ['low', 'celsius'] },
    { kind: 'matches', column: 'sensor', pattern: '^[a-z]{2,8}$', allow: { share: 0.25 } },
    { kind: 'holds', that: { left: { column: 'celsius' }, is: '=', right: { abs: { column: 'celsius' } } } },
    { kind: 'references', columns: ['sensor'], table: 'sensor', otherColumns: ['name'] },
    { kind: 'increasing', column: 'celsius' },
    { kind: 'complete', every: '1h' },
    { kind: 'fresh', within: '90s', severity: 'warn' },
    { kind: 'rowCount', min: 1 },
    { kind: 'aggregate', of: 'average', column: 'celsius', max: 40 },
    { kind: 'equals', table: 'other', on: ['sensor', 'at'], columns: [{ column: 'celsius', within: '0.1' }] },
  ],
})

it('writes the contract as it is kept', async () => {
  const text = contractText([readings], { id: 'readings', name: 'Readings', version: '2.1.0' })
  await expect(text).toMatchFileSnapshot('./golden/readings.odcs.yaml')
})

it('writes the files for dbt as they are kept', async () => {
  const files = dbtFiles([readings], { schema: 'public' })
  expect(files.map(({ path }) => path)).toEqual([
    'models/millrace/sources.yml',
    'models/millrace/bronze.yml',
    'models/millrace/bronze_reading.sql',
    'tests/generic/millrace_holds.sql',
    'tests/generic/millrace_unique.sql',
  ])
  for (const { path, text } of files) await expect(text).toMatchFileSnapshot(`./golden/dbt/${path.split('/').at(-1)}`)
})

it('gives each test of dbt a name of its own, also where signs alone tell expectations apart', () => {
  const quality = (table: string, bounds: readonly string[]) =>
    defineQuality({
      name: table,
      table,
      time: 'at',
      columns: { id: { type: 'bigint' }, a: { type: 'numeric' } },
      expectations: bounds.map((above) => ({ kind: 'range', column: 'a', above })),
    })
  const text = dbtFiles([quality('x', ['-5', '5']), quality('y', ['5'])], { schema: 'public' })[0]!.text
  const names = [...text.matchAll(/name: ([xy]_a_\w*)/g)].map(([, name]) => name)
  expect(names).toHaveLength(3)
  expect(new Set(names).size).toBe(3)
  // One that is alone is called as it was.
  expect(names.at(-1)).toBe('y_a_is_more_than_5')
})

it('writes values so that neither SQL nor Jinja takes them for its own', () => {
  const sources = dbtFiles([readings], { schema: 'public' })[0]!.text
  expect(sources).toContain("'it''s {' || '{ nothing }}'")
})

it('lets dbt pass nothing where a share is said, whatever number stands beside it', () => {
  const both = defineQuality({
    table: 'bar',
    time: 'at',
    columns: { low: { type: 'numeric(10,2)' } },
    expectations: [{ kind: 'range', column: 'low', min: '0.005', allow: { rows: 3, share: 0.1 } }],
  })
  const sources = dbtFiles([both], { schema: 'public' })[0]!.text
  expect(sources).not.toContain('error_if')
  expect(sources).toContain(`'0.005'::text::numeric AND`)
})

it('refuses two qualities of one table for dbt', () => {
  expect(() => dbtFiles([readings, readings], { schema: 'public' })).toThrow('two qualities are of table reading')
})

it('asks for the type of a column whose values dbt compares', () => {
  const untyped = defineQuality({ table: 'bar', time: 'at', expectations: [{ kind: 'range', column: 'low', min: 0 }] })
  expect(() => dbtFiles([untyped], { schema: 'public' })).toThrow("say it in columns: { low: { type: 'numeric' } }")
})
