import { createWriteStream } from 'node:fs'
import { mkdir, rm } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { ConfigurationError, RetryableError } from '../runtime/errors.ts'
import { causeOf } from '../sources/http/causeOf.ts'
import { bodyText, type HttpAnswer, httpGet } from '../sources/http/httpGet.ts'
import { shownUrl } from '../sources/http/shownUrl.ts'
import { checksumIn, sha256Of } from './archiveFile.ts'

/** An archive that was fetched. */
export interface Downloaded {
  readonly path: string
  /** Lower-case hex. */
  readonly sha256: string
  /** False where the host has no checksum file for it. */
  readonly isVerified: boolean
}

const maxChecksumBytes = 4_096

/**
 * Fetches an archive into a folder, and holds it against the checksum file beside it. The file is the caller's to remove.
 * Throws `RetryableError` where the host does not answer or the bytes are not those of the checksum, `ConfigurationError` where there is no such file.
 */
export async function downloadArchive(url: string, folder: string, signal: AbortSignal): Promise<Downloaded> {
  const expected = await fetchChecksum(url, signal)
  await mkdir(folder, { recursive: true })
  const path = join(folder, basename(new URL(url).pathname))
  try {
    const response = await get(url, signal)
    await pipeline(response.body, createWriteStream(path), { signal })
    const sha256 = await sha256Of(path)
    if (expected !== null && expected !== sha256) {
      throw new RetryableError(
        `${shownUrl(url)} is not what its checksum file says (${sha256.slice(0, 12)}…, not ${expected.slice(0, 12)}…): it was damaged on the way, or is being uploaded anew. Nothing of it was taken.`,
      )
    }
    return { path, sha256, isVerified: expected !== null }
  } catch (error) {
    await rm(path, { force: true })
    if (error instanceof RetryableError || error instanceof ConfigurationError) throw error
    throw new RetryableError(`${shownUrl(url)} broke off: ${causeOf(error)}.`, { cause: error })
  }
}

/** The SHA-256 that the host tells of an archive; null where it has no checksum file for it. Throws as `downloadArchive` does. */
export async function fetchChecksum(url: string, signal: AbortSignal): Promise<string | null> {
  const address = new URL(url)
  address.pathname += '.CHECKSUM'
  const name = shownUrl(address.href)
  const response = await ask(address.href, signal)
  if (response.status === 404) {
    response.body.destroy()
    return null
  }
  requireSound(name, response)
  const text = await bodyText(response, maxChecksumBytes).catch((error: unknown) => {
    throw new RetryableError(`${name} broke off: ${causeOf(error)}.`, { cause: error })
  })
  if (text === null) {
    throw new ConfigurationError(`${name} is larger than ${maxChecksumBytes} bytes: that is no checksum file.`)
  }
  return checksumIn(name, text)
}

async function get(url: string, signal: AbortSignal): Promise<HttpAnswer> {
  const response = await ask(url, signal)
  requireSound(url, response)
  return response
}

async function ask(url: string, signal: AbortSignal): Promise<HttpAnswer> {
  try {
    return await httpGet(url, { signal })
  } catch (error) {
    throw new RetryableError(`${new URL(url).host} does not answer: ${causeOf(error)}.`, { cause: error })
  }
}

function requireSound(url: string, { status }: HttpAnswer): void {
  if (status === 404) {
    throw new ConfigurationError(
      `${shownUrl(url)} is not there (404). The exchange uploads a day or month after its end, and not all of them: look at https://data.binance.vision.`,
    )
  }
  if (status >= 500 || status === 429) throw new RetryableError(`${shownUrl(url)} answers ${status}.`)
  if (status < 200 || status >= 300) throw new ConfigurationError(`${shownUrl(url)} answers ${status}.`)
}
