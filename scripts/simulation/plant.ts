import { execFile } from 'node:child_process'
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { PlantedBug, Prover } from './plantedBugs.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const parts = ['src', 'assembly', 'scripts', 'test', 'sql', 'package.json', 'tsconfig.json', 'vitest.config.ts']
/** So many seeds may pass without notice. */
const patience = 1_200
const mostMs = 240_000

/** What is run: a file of tests, or a prover over the seeds of a range. */
export interface Proof {
  readonly prover: Prover
  readonly firstSeed: number
  readonly lastSeed: number
}

/** What a proof has said. */
export interface Verdict {
  readonly isRed: boolean
  /** The seed and the difference, or the test that failed. */
  readonly because: string
  /** What shows it again: the same file, or the seed alone. */
  readonly again: Proof
}

/** The code with the bug in it. Throws where what it was made for is not there any more, exactly once. */
export function planted({ name, file, from, to }: PlantedBug, code: string): string {
  const found = code.split(from).length - 1
  if (found !== 1) throw new Error(`"${name}" cannot be planted: ${file} has ${found} times what it changes, not once`)
  return code.replace(from, () => to)
}

export function codeOf({ file }: PlantedBug): string {
  return readFileSync(join(root, file), 'utf8')
}

/** A copy of the code in which bugs are planted, one at a time. It lies inside the project, so that the packages are found. */
export class Plantation {
  readonly #folder: string

  constructor(name: string) {
    this.#folder = join(root, '.cache', `planted-${name}`)
    rmSync(this.#folder, { recursive: true, force: true })
    mkdirSync(this.#folder, { recursive: true })
    for (const part of parts) cpSync(join(root, part), join(this.#folder, part), { recursive: true })
  }

  /** Looks for somebody who notices the bug. */
  async ask(bug: PlantedBug): Promise<Verdict> {
    const path = join(this.#folder, bug.file)
    const code = readFileSync(path, 'utf8')
    writeFileSync(path, planted(bug, code))
    try {
      return await this.run({ prover: bug.prover, firstSeed: 1, lastSeed: patience })
    } finally {
      writeFileSync(path, code)
    }
  }

  /** Runs the proof over the copy as it is. Throws where it cannot be run. */
  run(proof: Proof): Promise<Verdict> {
    const { prover, firstSeed, lastSeed } = proof
    const isFile = prover.startsWith('test/')
    const command = isFile
      ? [join(root, 'node_modules/vitest/vitest.mjs'), 'run', prover, '--root', this.#folder, '--bail', '1']
      : [join(this.#folder, 'scripts/simulation/hunt.ts'), prover, String(firstSeed), String(lastSeed)]
    return new Promise((resolve, reject) => {
      execFile(
        process.execPath,
        command,
        { cwd: this.#folder, timeout: mostMs, maxBuffer: 64 << 20 },
        (error, stdout, stderr) => {
          const because = reasonOf(isFile, `${stdout}\n${stderr}`)
          const found = isFile ? null : foundIn(stdout)
          const again = found === null ? proof : { prover, firstSeed: found, lastSeed: found }
          // A hunt that was ended has found nothing; tests that hang have.
          if (!isFile && error?.killed === true) resolve({ isRed: false, because: 'nothing was found in time', again })
          else if (!isFile && error !== null && found === null) reject(new Error(`the hunt failed: ${stderr}`))
          else resolve({ isRed: error !== null, because, again })
        },
      )
    })
  }

  remove(): void {
    rmSync(this.#folder, { recursive: true, force: true })
  }
}

function reasonOf(isFile: boolean, output: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: terminal colours are control characters.
  const lines = output.replace(/\u001b\[[0-9;]*m/g, '').split('\n')
  const telling = isFile
    ? lines.find((line) => line.includes('FAIL'))
    : lines.find((line) => line.startsWith('{"seed"'))
  return (telling ?? lines.find((line) => line.trim() !== '') ?? 'said nothing').trim()
}

function foundIn(output: string): number | null {
  const line = output.split('\n').find((line) => line.startsWith('{"seed"'))
  return line === undefined ? null : (JSON.parse(line) as { readonly seed: number }).seed
}
