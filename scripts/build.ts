// Makes dist/ from src/, assembly/ and pages/: what Node loads, with an executable command; in modules/ what bundlers take, and the types; WebAssembly; and the pages of the console.
import { spawnSync } from 'node:child_process'
import { chmodSync, copyFileSync, existsSync, mkdirSync, rmSync, symlinkSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { buildAssembly } from './buildAssembly.ts'
import { buildChunks } from './buildChunks.ts'
import { buildPages } from './buildPages.ts'

const root = resolve(import.meta.dirname, '..')
const dist = resolve(process.argv[2] ?? join(root, 'dist'))

rmSync(dist, { recursive: true, force: true })
const tsc = join(root, 'node_modules/@typescript/native/bin/tsc')
const { status } = spawnSync(
  process.execPath,
  [tsc, '-p', join(root, 'tsconfig.build.json'), '--outDir', join(dist, 'modules')],
  {
    stdio: 'inherit',
  },
)
if (status !== 0) process.exit(status ?? 1)

await buildChunks(dist)
for (const file of buildAssembly()) {
  mkdirSync(dirname(join(dist, file)), { recursive: true })
  copyFileSync(join(root, 'src', file), join(dist, file))
}
await buildPages(join(dist, 'pages'))

const command = join(dist, 'cli/main.js')
if (existsSync(command)) chmodSync(command, 0o755)

// `npx millrace` in a checkout: without this link npx would install the checkout into its cache and build it there once more.
const link = join(root, 'node_modules/.bin/millrace')
if (process.argv[2] === undefined && process.platform !== 'win32' && existsSync(join(root, 'node_modules/.bin'))) {
  rmSync(link, { force: true })
  symlinkSync('../../dist/cli/main.js', link)
}
