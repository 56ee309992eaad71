import { existsSync, rmSync } from 'node:fs'
import { join } from 'node:path'

const main = 'bench/kafka/workerMain.ts'

/**
 * The program of the workers of a checkout, built as its package is, for that is what users run; the sources themselves of one from before chunks.
 * @param tree its folder, installed and built
 */
export async function workerProgram(tree: string): Promise<string> {
  const builder = join(tree, 'scripts/buildChunks.ts')
  if (!existsSync(builder)) return join(tree, main)
  // Without it the worker would read as one does that has no WebAssembly.
  if (!existsSync(join(tree, 'dist/codecs/columns/columns.wasm')))
    throw new Error(`${tree} is not built: npm run build`)
  const { buildChunks } = (await import(builder)) as typeof import('../../scripts/buildChunks.ts')
  const out = join(tree, '.cache/bench/worker')
  rmSync(out, { recursive: true, force: true })
  await buildChunks(out, { workerMain: join(tree, main) })
  return join(out, 'workerMain.js')
}
