import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type EmptyProject, installIntoEmptyProject, npm } from '../support/emptyProject.ts'

describe('a project that `millrace new` makes of the packed package', () => {
  let project: EmptyProject
  let app: string
  const inApp = (...args: readonly string[]) => npm(app, '--silent', ...args)

  beforeAll(async () => {
    project = await installIntoEmptyProject()
    app = join(project.directory, 'my-app')
    const made = await project.node('node_modules/.bin/millrace', 'new', 'my-app', '--package', project.tarball)
    expect(made).toContain('my-app is made')
    await npm(app, 'install', '--no-audit', '--no-fund', '--prefer-offline')
  }, 300_000)

  afterAll(() => project?.remove())

  it('type-checks', async () => {
    expect(await inApp('run', 'check')).toBe('')
  }, 60_000)

  it('passes its own tests', async () => {
    expect(await inApp('test')).toMatch(/pass 2\n[\s\S]*fail 0\n/)
  }, 60_000)

  it('brings in its feed, runs its pipeline to the end and shows the rows, each order counted once', async () => {
    expect(await inApp('run', 'ingest')).toContain('60 records appended in this run.')
    expect(await inApp('run', 'ingest')).toContain('0 records appended in this run.')
    const run = ['start', '--', '--until-end', '--close-open']
    expect(await inApp(...run)).toContain('  sales_1m: 30 rows for sales_1m\n')
    expect(await inApp(...run)).toContain('  sales_1m: 0 rows for sales_1m\n')
    const rows = await inApp('run', 'rows')
    expect(rows.match(/2026-01-01T12:0\d:00\.000Z/g)).toHaveLength(30)
    // Orders 0 and 3, at 250 and 400 cents.
    expect(rows).toMatch(/^tea +2026-01-01T12:00:00\.000Z +2 +650 /m)
  }, 120_000)

  it('keeps what it has made out of git', () => {
    expect(existsSync(join(app, '.gitignore'))).toBe(true)
  })
})
