import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { rolldown } from 'rolldown'

const root = resolve(import.meta.dirname, '..')

/** Modules that a process or a loader of ours starts from, as `ownModule` names them. */
export const programs = [
  'cli/main',
  'cli/watchedMain',
  'cli/filePipeline',
  'cli/realtime/realtimePipeline',
  'host/workerMain',
]

/** The names of the entry points of the package, as their modules are called below src. */
export function entryPoints(): readonly string[] {
  const { exports }: { exports: Record<string, string | { readonly default: string }> } = JSON.parse(
    readFileSync(join(root, 'package.json'), 'utf8'),
  )
  return Object.values(exports).flatMap((entry) =>
    typeof entry === 'string' ? [] : [entry.default.slice('./dist/'.length, -'.js'.length)],
  )
}

/**
 * Makes what Node runs: each entry point of the package and each program in its place, and beside them, in chunks, what several of them have in common. To find and to link a module takes Node longer than to run it,
 * so that a process which loads a sixth of the files starts in half of the time. Packages stay outside: a pipeline shares them with the command that runs it.
 * @param out a folder that is empty or not there yet
 * @param inputs where the module of each name lies
 */
export async function buildChunks(out: string, inputs = ownInputs()): Promise<void> {
  const build = await rolldown({
    input: inputs,
    cwd: root,
    platform: 'node',
    external: /^[@a-z]/,
    treeshake: { moduleSideEffects: (id) => id.endsWith('/runtime/checkNode.ts') },
    onLog: (level, log) => {
      if (level === 'warn') throw new Error(log.message)
    },
  })
  await build.write({
    dir: out,
    format: 'esm',
    entryFileNames: '[name].js',
    chunkFileNames: 'chunks/[name].js',
    // Alone, so that an entry point can load it first: an older Node fails on what others need.
    codeSplitting: { groups: ['nodeVersion', 'checkNode'].map((name) => ({ name, test: `/runtime/${name}.ts` })) },
  })
  await build.close()
}

function ownInputs(): Readonly<Record<string, string>> {
  const names = [...entryPoints(), ...programs]
  return Object.fromEntries(names.map((name) => [name, join(root, 'src', `${name}.ts`)]))
}
