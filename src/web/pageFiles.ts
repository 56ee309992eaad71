import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { extname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import { packageFolder } from '../runtime/ownPackage.ts'

/** A file of the pages, ready to be sent. */
export interface PageFile {
  readonly type: string
  readonly bytes: Buffer
  readonly zipped: Buffer
  readonly etag: string
  /** True where the name changes with what is in it. */
  readonly isForEver: boolean
}

const types: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.json': 'application/json',
  '.txt': 'text/plain; charset=utf-8',
}

export const pagesFolder = fileURLToPath(new URL('dist/pages/', packageFolder))

/** The pages of the console by their path, `index.html` as `''`. Empty where they were not built. */
export function readPages(folder: string = pagesFolder): ReadonlyMap<string, PageFile> {
  const files = new Map<string, PageFile>()
  for (const name of namesIn(folder)) {
    const type = types[extname(name)]
    if (type === undefined) continue
    const bytes = readFileSync(join(folder, name))
    const path = name.replaceAll('\\', '/')
    files.set(path === 'index.html' ? '' : path, {
      type,
      bytes,
      zipped: gzipSync(bytes),
      etag: `"${createHash('sha256').update(bytes).digest('base64url').slice(0, 22)}"`,
      isForEver: path.startsWith('assets/'),
    })
  }
  return files
}

function namesIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder, { recursive: true, encoding: 'utf8' })
  } catch {
    // Not built: whoever asks for a page is told so.
    return []
  }
}
