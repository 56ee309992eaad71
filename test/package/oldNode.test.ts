import { execFileSync, spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterAll, beforeAll, describe, expect, it, test } from 'vitest'
import { versionProblem } from '../../src/runtime/nodeVersion.ts'
import { type EmptyProject, installIntoEmptyProject } from '../support/emptyProject.ts'

const root = resolve(import.meta.dirname, '../..')
const { exports, engines }: { exports: Record<string, unknown>; engines: { node: string } } = JSON.parse(
  readFileSync(join(root, 'package.json'), 'utf8'),
)
const entryPoints = Object.values(exports).flatMap((entry) =>
  typeof entry === 'object' && entry !== null && 'default' in entry ? [String(entry.default)] : [],
)

describe('a Node that is too old', () => {
  it('is told which one is needed, and how to get it', () => {
    const [major, minor] = engines.node.replace('>=', '').split('.').map(Number)
    expect(versionProblem(`${major}.${minor}.0`)).toBe(null)
    expect(versionProblem(`${Number(major) + 1}.0.0`)).toBe(null)
    for (const old of [`${major}.${Number(minor) - 1}.9`, `${Number(major) - 1}.99.0`, '20.20.2']) {
      expect(versionProblem(old)).toContain(`needs Node ${major}.${minor} or newer and this is Node ${old}: `)
    }
  })

  it('is told so by every entry point of the package, before anything else is run', () => {
    const asOldNode = "Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '20.20.2' } })"
    for (const entry of entryPoints) {
      const source = pathToFileURL(join(root, entry.replace('./dist/', 'src/').replace('.js', '.ts'))).href
      const program = `${asOldNode}; await import(${JSON.stringify(source)}).catch(({ message }) => console.log(message))`
      const told = execFileSync(process.execPath, ['--input-type=module', '--eval', program], { encoding: 'utf8' })
      expect(told, entry).toBe(`${versionProblem('20.20.2')}\n`)
    }
  })
})

/** The Node of the system, where it is one that is too old but has ES modules. */
const oldNode = ['/usr/bin/node', '/usr/local/bin/node'].find((path) => {
  const { stdout } = spawnSync(path, ['--version'], { encoding: 'utf8' })
  return typeof stdout === 'string' && stdout.startsWith('v20.') && versionProblem(stdout.slice(1).trim()) !== null
})

describe.skipIf(oldNode === undefined)('under a real Node 20', () => {
  let project: EmptyProject
  const run = (...args: readonly string[]) =>
    spawnSync(String(oldNode), args, {
      cwd: join(project.directory, 'node_modules/millrace'),
      encoding: 'utf8',
      env: {},
    })

  beforeAll(async () => {
    project = await installIntoEmptyProject()
  }, 240_000)

  afterAll(() => project?.remove())

  test('the command says so in one line', () => {
    const { status, stdout, stderr } = run('dist/cli/main.js', 'run', './paid.ts')
    expect(stderr).toMatch(/^millrace needs Node [^\n]+\n$/)
    expect({ status, stdout }).toEqual({ status: 1, stdout: '' })
  })

  test.each(entryPoints)('import of %s says so instead of what Node lacks', (entry) => {
    const { status, stderr } = run('--input-type=module', '--eval', `import ${JSON.stringify(entry)}`)
    expect(stderr).toContain('\nError: millrace needs Node ')
    expect(status).toBe(1)
  })
})
