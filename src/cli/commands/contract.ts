import { mkdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { contractText } from '../../quality/contract.ts'
import { dbtFiles } from '../../quality/dbtFiles.ts'
import type { CommandContext } from '../commandContext.ts'
import { exitOk } from '../exit.ts'
import { qualitiesOf } from '../loadQuality.ts'

/** Prints the contract of the tables of a file's qualities, or of the platform's. */
export async function printContract({ settings, output, args }: CommandContext): Promise<number> {
  const { contractId: id, contractName = id, contractVersion: version } = settings
  await output.out(contractText(await qualitiesOf(args[0]), { id, name: contractName, version }))
  return exitOk
}

/** Writes files for dbt into the folder of a project. */
export async function writeDbtFiles({ settings, output, args }: CommandContext): Promise<number> {
  const [folder = '.', file] = args
  const files = dbtFiles(await qualitiesOf(file), { schema: settings.schema })
  for (const { path, text } of files) {
    const target = join(folder, path)
    await mkdir(dirname(target), { recursive: true })
    await writeFile(target, text)
    await output.out(`${target}\n`)
  }
  return exitOk
}
