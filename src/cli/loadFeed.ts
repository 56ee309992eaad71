import { definedFeeds } from '../runtime/definedHere.ts'
import type { DefinedFeed } from '../sources/ownFeed/defineFeed.ts'
import { definedExport, type ExportedKind } from './definedExport.ts'
import { importFile } from './importFile.ts'

const feeds: ExportedKind = {
  what: 'feed',
  madeBy: 'defineFeed',
  defined: definedFeeds,
  remark: (value) =>
    typeof value === 'object' && value !== null && 'read' in value && 'name' in value
      ? ' (not made by defineFeed)'
      : '',
}

/**
 * The feed that a TypeScript or JavaScript file exports: as its default, or as the only one.
 * @throws UsageError, which says what was looked for, and what is there instead
 */
export async function loadFeed(file: string): Promise<DefinedFeed> {
  return definedExport(feeds, await importFile(file), file)
}
