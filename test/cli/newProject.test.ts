import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterAll, describe, expect, it, test } from 'vitest'
import { version } from '../../src/cli/version.ts'
import { runCommand } from '../support/commandLine.ts'

const root = resolve(import.meta.dirname, '../..')
const folder = mkdtempSync(join(tmpdir(), 'millrace-new-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const make = (...args: readonly string[]) => runCommand(['new', ...args], { cwd: folder })
const manifestOf = (path: string) => JSON.parse(readFileSync(join(path, 'package.json'), 'utf8'))
const filesOf = (path: string) => readdirSync(path, { recursive: true }).map(String).sort()

describe('`millrace new`', () => {
  it('makes a project of the name of its folder, on this version, and says what to type next', async () => {
    const { code, stdout } = await make('here/paid-orders')
    expect(code).toBe(0)
    expect(stdout).toContain('paid-orders is made')
    expect(stdout).toContain(`  cd ${join('here', 'paid-orders')}\n  npm install\n`)
    const path = join(folder, 'here/paid-orders')
    expect(manifestOf(path)).toMatchObject({ name: 'paid-orders', dependencies: { millrace: `^${version()}` } })
    expect(readFileSync(join(path, 'README.md'), 'utf8')).toMatch(/^# paid-orders\n/)
    const template = filesOf(join(root, 'templates/app'))
    expect(filesOf(path)).toEqual(template.map((file) => (file === 'gitignore' ? '.gitignore' : file)).sort())
  })

  it('names every script that it tells of', async () => {
    const { stdout } = await make('scripts')
    const { scripts } = manifestOf(join(folder, 'scripts'))
    const readme = readFileSync(join(folder, 'scripts/README.md'), 'utf8')
    const named = [...`${stdout}${readme}`.matchAll(/npm (?:run )?(test|start|(?<=run )\w+)/g)].map(([, name]) => name)
    expect([...new Set(named)].sort()).toEqual(Object.keys(scripts).sort())
  })

  it('takes a folder that is there and empty, or has nothing but a repository, also the current one', async () => {
    mkdirSync(join(folder, 'cloned/.git'), { recursive: true })
    expect(await make('cloned')).toMatchObject({ code: 0 })
    mkdirSync(join(folder, 'current'))
    const { code, stdout } = await runCommand(['new', '.'], { cwd: join(folder, 'current') })
    expect(code).toBe(0)
    expect(stdout).not.toContain('cd ')
    expect(manifestOf(join(folder, 'current')).name).toBe('current')
  })

  it('depends on the package that it is told, a file by its whole path', async () => {
    writeFileSync(join(folder, 'millrace.tgz'), '')
    await make('of-a-file', '--package', './millrace.tgz')
    await make('of-a-tag', '--package', 'next')
    const specOf = (name: string) => manifestOf(join(folder, name)).dependencies.millrace
    expect(specOf('of-a-file')).toBe(`file:${join(folder, 'millrace.tgz')}`)
    expect(specOf('of-a-tag')).toBe('next')
  })

  it('refuses a folder that is not empty, and leaves it as it is', async () => {
    mkdirSync(join(folder, 'full'))
    writeFileSync(join(folder, 'full/notes.txt'), 'mine')
    const { code, stderr } = await make('full')
    expect(code).toBe(2)
    expect(stderr).toBe(
      'error: full is not empty (notes.txt), and nothing in it was changed: name a folder that is empty or not there yet.\n',
    )
    expect(filesOf(join(folder, 'full'))).toEqual(['notes.txt'])
  })

  test.each([
    ['Paid', '"Paid" cannot be the name of a package'],
    ['my app', '"my app" cannot be the name of a package'],
    ['.hidden', '".hidden" cannot be the name of a package'],
    ['zod', 'zod is a package that the project needs'],
    ['millrace', 'millrace is a package that the project needs'],
    ['millrace.tgz/app', 'millrace.tgz/app: the project could not be written: '],
    ['millrace.tgz', 'millrace.tgz is a file: name a folder'],
  ])('refuses %s', async (name, message) => {
    writeFileSync(join(folder, 'millrace.tgz'), '')
    const before = filesOf(folder)
    const { code, stderr } = await make(name)
    expect({ code, stderr }).toEqual({ code: 2, stderr: expect.stringContaining(`error: ${message}`) })
    expect(filesOf(folder)).toEqual(before)
  })
})

test('the template depends on what this package is tested with', () => {
  const own = manifestOf(root)
  const { dependencies, devDependencies, engines } = manifestOf(join(root, 'templates/app'))
  const { version: rxjs } = manifestOf(join(root, 'node_modules/rxjs'))
  const typescript = own.devDependencies['@typescript/native']
  const tested = { ...own.devDependencies, ...own.dependencies, rxjs: `^${rxjs}`, typescript }
  for (const [name, range] of Object.entries({ ...dependencies, ...devDependencies })) {
    if (name !== 'millrace') expect(`${name} ${tested[name].replace('npm:typescript@', '')}`).toBe(`${name} ${range}`)
  }
  expect(engines).toEqual(own.engines)
})
