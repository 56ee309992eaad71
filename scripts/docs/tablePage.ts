import type { GeneratedPage } from './operatorPages.ts'

/** A statement of a migration, with the comment above it. */
interface Statement {
  readonly table: string
  readonly comment: string
  readonly sql: string
}

/** The tables that sql/ makes, each with the statements that made it what it is, in the order of the migrations. */
export function tablePage(migrations: readonly string[]): GeneratedPage {
  const byTable = new Map<string, Statement[]>()
  for (const statement of migrations.flatMap(statementsOf)) {
    byTable.set(statement.table, [...(byTable.get(statement.table) ?? []), statement])
  }
  const sections = [...byTable].map(([table, statements]) => {
    const parts = statements.map(({ comment, sql }) => `${comment}\n\n\`\`\`sql\n${sql};\n\`\`\``)
    return [`## ${table}`, ...parts].join('\n\n')
  })
  const intro =
    'Migrations make them in the schema of a data set, before anything is read. Read them as you like; what writes them is Millrace alone. Tables of pipelines are [made from their descriptors](/connect/postgres.md#tables).'
  return { path: 'reference/tables', title: 'SQL tables', text: ['# SQL tables', intro, ...sections, ''].join('\n\n') }
}

function statementsOf(migration: string): Statement[] {
  return migration.split(/;\s*\n/).flatMap((part) => {
    const [, before = '', sql = ''] = /^((?:\s*--.*\n|\s*\n)*)([\s\S]*)$/.exec(part) ?? []
    const [, table] =
      /^(?:CREATE|ALTER)(?: OR REPLACE)? (?:TABLE|VIEW|MATERIALIZED VIEW)(?: IF NOT EXISTS)? (\w+)/.exec(sql) ?? []
    if (table === undefined) return []
    const comment = (before.split(/\n\s*\n/).at(-1) ?? '').replaceAll(/^\s*-- ?/gm, '').trim()
    return [{ table, comment: before.endsWith('\n\n') ? '' : comment, sql: sql.trim() }]
  })
}
