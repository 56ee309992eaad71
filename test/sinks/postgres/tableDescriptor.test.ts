import { expect, it } from 'vitest'
import { ConfigurationError } from '../../../src/runtime/errors.ts'
import type { ColumnType, UpsertTable } from '../../../src/runtime/store/table.ts'
import { checkDescriptor } from '../../../src/sinks/postgres/tableDescriptor.ts'

const keyedBy = (type: ColumnType): UpsertTable<never> => ({
  ...{ mode: 'upsert', name: 't', key: ['k'], revision: 'r' },
  columns: [
    { name: 'k', type, of: () => null },
    { name: 'r', type: 'integer', of: () => 1 },
  ],
})

it.each<ColumnType>(['double precision', 'jsonb'])(
  '%s is no natural key: values that PostgreSQL sees as one may be two texts, of which a statement may write one',
  (type) => {
    expect(() => checkDescriptor(keyedBy(type))).toThrow(ConfigurationError)
    expect(() => checkDescriptor(keyedBy(type))).toThrow(/table t: k is in its key and a .*; use a (numeric|text)/)
    for (const fine of ['text', 'integer', 'bigint', 'numeric', 'boolean', 'timestamptz'] as const)
      expect(() => checkDescriptor(keyedBy(fine))).not.toThrow()
  },
)
