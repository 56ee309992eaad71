import { execFile } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { madeOnce } from './madeOnce.ts'

const root = resolve(import.meta.dirname, '../..')
const packedName = 'millrace.tgz'
const { files }: { files: string[] } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
const leftOut = files.filter((file) => file.startsWith('!'))
/** What the package consists of beside dist. */
const packed = ['package.json', ...files.filter((file) => !/^!|^dist$/.test(file))]
/** What dist is built of, and by what. */
const built = ['src', 'assembly', 'pages', 'scripts', 'package-lock.json', 'tsconfig.json', 'tsconfig.build.json']

/** An empty project somewhere else, into which the packed package is installed as its users would. */
export interface EmptyProject {
  readonly directory: string
  /** The packed package. */
  readonly tarball: string
  /** Runs a program of the project with the Node of this run; gives what it wrote to stdout. */
  node(...args: readonly string[]): Promise<string>
  remove(): void
}

/** Copied from one that is made once for all tests. */
export async function installIntoEmptyProject(): Promise<EmptyProject> {
  const made = await madeOnce('package', [...packed, ...built], packAndInstall)
  const work = mkdtempSync(join(tmpdir(), 'millrace-package-'))
  cpSync(made, work, { recursive: true, verbatimSymlinks: true })
  const directory = join(work, 'project')
  return {
    directory,
    tarball: join(work, packedName),
    node: (...args) => run(process.execPath, args, directory),
    remove: () => rmSync(work, { recursive: true, force: true }),
  }
}

/** Builds and packs this package without touching its own dist/, which other tests may be running from; leaves the tarball, and a project with it. */
async function packAndInstall(work: string): Promise<void> {
  const staged = join(work, 'staged')
  mkdirSync(staged)
  for (const name of packed) cpSync(join(root, name), join(staged, name), { recursive: true })
  for (const name of leftOut) rmSync(join(staged, name.slice(1)), { recursive: true, force: true })
  await run(process.execPath, [join(root, 'scripts/build.ts'), join(staged, 'dist')], root)
  await npm(work, 'pack', staged, '--ignore-scripts', '--pack-destination', work)
  rmSync(staged, { recursive: true })
  const tarball = readdirSync(work).find((name) => name.endsWith('.tgz'))
  if (tarball === undefined) throw new Error(`npm pack left no tarball in ${work}`)
  renameSync(join(work, tarball), join(work, packedName))

  const directory = join(work, 'project')
  mkdirSync(directory)
  writeFileSync(join(directory, 'package.json'), JSON.stringify({ name: 'empty', private: true, type: 'module' }))
  await npm(directory, 'install', join(work, packedName), '--no-audit', '--no-fund', '--prefer-offline')
}

/** Runs npm as somebody in the folder would; gives what it wrote to stdout. */
export function npm(cwd: string, ...args: readonly string[]): Promise<string> {
  // What npm hands down to the scripts it runs would point this npm at our own project again.
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('npm_')))
  return run('npm', args, cwd, env)
}

/** Gives what the program wrote to stdout; an error carries all that it wrote, because a compiler explains itself there. */
function run(program: string, args: readonly string[], cwd: string, env = process.env): Promise<string> {
  return new Promise((resolve, reject) => {
    execFile(program, [...args], { cwd, env }, (error, stdout, stderr) => {
      if (error === null) resolve(stdout)
      else reject(new Error(`${error.message}\n${stdout}${stderr}`, { cause: error }))
    })
  })
}
