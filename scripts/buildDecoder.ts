import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { appendFileSync, existsSync, readFileSync, renameSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join, resolve } from 'node:path'

const root = resolve(import.meta.dirname, '..')
const source = join(root, 'assembly/columns.ts')
const require = createRequire(import.meta.url)
const beside = join(root, 'src/codecs/columns/columns.wasm')
const flags =
  '--runtime stub --noAssert --importMemory --use abort= --enable simd --enable relaxed-simd --optimizeLevel 3'.split(
    ' ',
  )

/**
 * Makes the decoder in WebAssembly of its source in `assembly/`, beside the module in src that loads it, unless it is there; and gives its path. A section of it holds the SHA-256 of
 * the source, so that one of another source is noticed.
 */
export function buildDecoder(): string {
  const section = sectionOf(readFileSync(source))
  if (existsSync(beside) && readFileSync(beside).subarray(-section.length).equals(section)) return beside
  const compiler = require.resolve('assemblyscript/bin/asc.js')
  const made = `${beside}.${process.pid}`
  const { status, stderr } = spawnSync(process.execPath, [compiler, source, '--outFile', made, ...flags], {
    encoding: 'utf8',
  })
  if (status !== 0) throw new Error(`assembly/columns.ts does not compile: ${stderr}`)
  // Others may be reading it, or making it as well.
  appendFileSync(made, section)
  renameSync(made, beside)
  return beside
}

/** A section that readers of WebAssembly pass over: its number 0, its length, its name `source`, and the hash. */
function sectionOf(text: Buffer): Buffer {
  const hash = createHash('sha256').update(text).digest()
  const name = Buffer.from('source')
  return Buffer.concat([Buffer.from([0, 1 + name.length + hash.length, name.length]), name, hash])
}

if (import.meta.main) console.log(buildDecoder())
