import { type IncomingHttpHeaders, type IncomingMessage, request as plainRequest } from 'node:http'
import { request as tlsRequest } from 'node:https'
import type { Readable } from 'node:stream'
import { createGunzip } from 'node:zlib'
import { agentFor } from './tunnel.ts'

export interface HttpGetOptions {
  readonly headers?: Readonly<Record<string, string>>
  /** Ends the request, and what is read of its answer. */
  readonly signal: AbortSignal
}

/** An answer whose body has not been read yet. Whoever does not want it destroys it. */
export interface HttpAnswer {
  readonly status: number
  /** Names in lower case. */
  readonly headers: IncomingHttpHeaders
  readonly body: Readable
}

const mostRedirects = 5

/**
 * GETs a URL, through the proxy that the environment names (`HTTPS_PROXY`, `NO_PROXY`). Follows redirects, but never away from TLS. Rejects where nobody answers and when the signal fires.
 */
export async function httpGet(url: string, options: HttpGetOptions): Promise<HttpAnswer> {
  let at = new URL(url)
  for (let hops = 0; ; hops++) {
    const response = await answerOf(at, options)
    const { statusCode: status = 0, headers } = response
    if (status < 300 || status >= 400 || headers.location === undefined || hops >= mostRedirects) {
      return { status, headers, body: decoded(response) }
    }
    response.destroy()
    const next = new URL(headers.location, at)
    if (at.protocol === 'https:' && next.protocol !== 'https:') {
      throw new Error(`${at.host} sends on to ${next.host} without TLS`)
    }
    at = next
  }
}

/** The whole body as text, or null where it is longer. */
export async function bodyText({ body }: HttpAnswer, maxBytes: number): Promise<string | null> {
  const chunks: Buffer[] = []
  let length = 0
  for await (const chunk of body) {
    length += (chunk as Buffer).length
    // Leaving the loop destroys the rest.
    if (length > maxBytes) return null
    chunks.push(chunk as Buffer)
  }
  return Buffer.concat(chunks).toString()
}

function answerOf(url: URL, { headers = {}, signal }: HttpGetOptions): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const request = url.protocol === 'https:' ? tlsRequest : plainRequest
    const asked = request(url, {
      agent: agentFor(url),
      headers: { 'Accept-Encoding': 'gzip', 'User-Agent': 'millrace', ...headers },
      signal,
    })
    asked.once('response', resolve)
    asked.once('error', (error) => reject(signal.aborted ? reasonOf(signal) : error))
    asked.end()
  })
}

function decoded(response: IncomingMessage): Readable {
  if (response.headers['content-encoding'] !== 'gzip') return response
  const plain = createGunzip()
  response.once('error', (error) => plain.destroy(error))
  plain.once('close', () => response.destroy())
  return response.pipe(plain)
}

function reasonOf({ reason }: AbortSignal): Error {
  return reason instanceof Error ? reason : new Error('stopped')
}
