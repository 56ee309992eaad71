// Makes dist/ from src/: modules and their types, and an executable command.
import { spawnSync } from 'node:child_process'
import { chmodSync, existsSync, rmSync } from 'node:fs'
import { join, resolve } from 'node:path'

const root = resolve(import.meta.dirname, '..')
const dist = resolve(process.argv[2] ?? join(root, 'dist'))

rmSync(dist, { recursive: true, force: true })
const tsc = join(root, 'node_modules/@typescript/native/bin/tsc')
const { status } = spawnSync(process.execPath, [tsc, '-p', join(root, 'tsconfig.build.json'), '--outDir', dist], {
  stdio: 'inherit',
})
if (status !== 0) process.exit(status ?? 1)

const command = join(dist, 'cli/main.js')
if (existsSync(command)) chmodSync(command, 0o755)
