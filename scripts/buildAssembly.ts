import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { appendFileSync, existsSync, readFileSync, renameSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join, resolve } from 'node:path'

const root = resolve(import.meta.dirname, '..')
const require = createRequire(import.meta.url)
const flags =
  '--runtime stub --noAssert --importMemory --use abort= --enable simd --enable relaxed-simd --optimizeLevel 3'.split(
    ' ',
  )

/** What is made of which source, in `src` as in `dist`: beside the module that loads it. */
const sources = {
  'codecs/columns/columns.wasm': 'assembly/columns.ts',
  'sinks/archive/lines.wasm': 'assembly/lines.ts',
}

/**
 * Makes WebAssembly of each source in `assembly/`, beside the module in src that loads it, unless it is there; and gives the paths below src. A section of each holds the SHA-256 of its source, so that one of another
 * source is noticed.
 */
export function buildAssembly(): readonly string[] {
  for (const [file, source] of Object.entries(sources)) build(source, join(root, 'src', file))
  return Object.keys(sources)
}

function build(source: string, beside: string): void {
  const path = join(root, source)
  const section = sectionOf(readFileSync(path))
  if (existsSync(beside) && readFileSync(beside).subarray(-section.length).equals(section)) return
  const compiler = require.resolve('assemblyscript/bin/asc.js')
  const made = `${beside}.${process.pid}`
  const { status, stderr } = spawnSync(process.execPath, [compiler, path, '--outFile', made, ...flags], {
    encoding: 'utf8',
  })
  if (status !== 0) throw new Error(`${source} does not compile: ${stderr}`)
  // Others may be reading it, or making it as well.
  appendFileSync(made, section)
  renameSync(made, beside)
}

/** A section that readers of WebAssembly pass over: its number 0, its length, its name `source`, and the hash. */
function sectionOf(text: Buffer): Buffer {
  const hash = createHash('sha256').update(text).digest()
  const name = Buffer.from('source')
  return Buffer.concat([Buffer.from([0, 1 + name.length + hash.length, name.length]), name, hash])
}

if (import.meta.main) console.log(buildAssembly().join('\n'))
