import { resolve } from 'node:path'
import { exitFailure } from './exit.ts'
import { processOutput } from './output.ts'
import { runProgram } from './program.ts'
import { keepYoungGenerationSmall } from './youngGeneration.ts'

const exitGraceMs = 2000

/** Runs the command line in this process and sets its exit code. */
export async function runMain(argv: readonly string[]): Promise<void> {
  keepYoungGenerationSmall()
  const output = processOutput(process.stdout, process.stderr)
  process.exitCode = exitFailure
  process.exitCode = await runProgram(argv, {
    output,
    env: process.env,
    envFile: resolve('.env'),
    isTerminal: process.stdout.isTTY === true,
  })
  // Whatever still holds the process by then is a socket on its way out; nothing of ours is unfinished.
  setTimeout(() => process.exit(), exitGraceMs).unref()
}
