import type { Quality } from '../quality/quality.ts'
import { definedQualities } from '../runtime/definedHere.ts'
import { UsageError } from './exit.ts'
import { importFile } from './importFile.ts'

/** What a file expects of tables; without one, what is expected of the platform's. */
export async function qualitiesOf(file: string | undefined): Promise<readonly Quality[]> {
  return file === undefined ? (await platformQuality()).marketQualities : loadQualities(file)
}

/** What is known of the platform's tables. */
export function platformQuality() {
  return import('../pipelines/klineQuality.ts')
}

/**
 * What is expected of tables, as a TypeScript or JavaScript file exports it: each value that `defineQuality` has made, by itself or in an array.
 * @throws UsageError where there is none, and where two have one name
 */
async function loadQualities(file: string): Promise<readonly Quality[]> {
  const exports = await importFile(file)
  const found = new Set(
    Object.values(exports)
      .flat()
      .filter((value): value is Quality => definedQualities.makerOf(value) !== null),
  )
  if (found.size === 0) {
    throw new UsageError(`${file} exports nothing that defineQuality has made. Export what is expected of a table.`)
  }
  const names = new Set<string>()
  for (const { name } of found) {
    if (names.has(name)) throw new UsageError(`${file} exports two qualities of the name ${name}: rename one of them.`)
    names.add(name)
  }
  return [...found]
}
