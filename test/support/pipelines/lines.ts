// A pipeline that names no topic: whoever runs it does.
import { map } from 'rxjs'
import { definePipeline } from '../../../src/runtime/pipeline/pipeline.ts'
import type { AppendTable } from '../../../src/runtime/store/table.ts'
import { toPostgres } from '../../../src/sinks/toPostgres.ts'

const table: AppendTable<{ readonly line: string | null }> = {
  mode: 'append',
  name: 'line',
  columns: [{ name: 'line', type: 'text', of: ({ line }) => line }],
}

export const lines = definePipeline({
  name: 'lines',
  build: (records) => ({
    lines: toPostgres(records.pipe(map((record) => ({ line: record.valueText() }))), table),
  }),
})
