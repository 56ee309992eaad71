import { cpSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type EmptyProject, installIntoEmptyProject } from '../support/emptyProject.ts'

const root = resolve(import.meta.dirname, '../..')
const tsc = join(root, 'node_modules/@typescript/native/bin/tsc')

describe('the package, installed into an empty project', () => {
  let project: EmptyProject

  beforeAll(async () => {
    project = await installIntoEmptyProject()
    cpSync(join(root, 'examples'), join(project.directory, 'examples'), { recursive: true })
  }, 180_000)

  afterAll(() => project?.remove())

  it('type-checks every example, its own declarations included', async () => {
    const compilerOptions = {
      target: 'es2024',
      module: 'nodenext',
      strict: true,
      noEmit: true,
      types: [],
      skipLibCheck: false,
    }
    writeFileSync(join(project.directory, 'tsconfig.json'), JSON.stringify({ compilerOptions, include: ['examples'] }))
    expect(await project.node(tsc, '-p', '.')).toBe('')
  })

  it('has a command that explains itself', async () => {
    expect(await project.node('node_modules/millrace/dist/cli/main.js', '--help')).toContain('Usage: millrace')
  })
})
