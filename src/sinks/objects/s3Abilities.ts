import { PutObjectCommand, type S3Client } from '@aws-sdk/client-s3'
import { failureOf } from './s3Errors.ts'

/**
 * Written once to learn what the store takes, and left there, so that it is asked only once. Never listed.
 */
export const PROBE_KEY = '_millrace/conditional-writes'
const PROBE_BODY = 'Tells whether this store honours conditional writes. May be deleted.\n'

/** How a client sends its requests: with the checksum headers that the SDK adds by itself, or without. */
export interface S3Clients {
  readonly usual: S3Client
  /** Made when it is needed. */
  readonly withoutChecksums: () => S3Client
}

/** What a store turned out to take. */
export interface S3Abilities {
  readonly client: S3Client
  /** False where checksum headers (`x-amz-checksum-crc32`) are refused. */
  readonly takesChecksums: boolean
  /** False where `If-None-Match` is refused or ignored. */
  readonly isConditional: boolean
}

type Answer = { readonly kind: 'kept' | 'taken' } | { readonly kind: 'refused'; readonly error: unknown }

/**
 * Finds out by writing the probe: a store may refuse the headers for checksums, the one for conditional writes, or both; it may also ignore the latter.
 * What is left out is left out only where the same request goes through without it. Throws what the first request failed with where none goes through.
 */
export async function findAbilities(clients: S3Clients, bucket: string, prefix: string): Promise<S3Abilities> {
  let first: unknown = null
  for (const isConditional of [true, false]) {
    for (const takesChecksums of [true, false]) {
      const client = takesChecksums ? clients.usual : clients.withoutChecksums()
      let isKept = false
      try {
        const put = () => putProbe(client, bucket, prefix + PROBE_KEY, isConditional)
        const answer = await put()
        if (answer.kind === 'refused') {
          first ??= answer.error
          continue
        }
        // The first write of all finds nothing there, so only the second one tells.
        const isHonoured = isConditional && (answer.kind === 'taken' || (await put()).kind === 'taken')
        isKept = true
        return { client, takesChecksums, isConditional: isHonoured }
      } finally {
        if (!isKept && client !== clients.usual) client.destroy()
      }
    }
  }
  throw first
}

/** Throws what no other header would change. */
async function putProbe(client: S3Client, Bucket: string, Key: string, isConditional: boolean): Promise<Answer> {
  const condition = isConditional ? { IfNoneMatch: '*' } : {}
  try {
    await client.send(new PutObjectCommand({ Bucket, Key, Body: PROBE_BODY, ...condition }))
    return { kind: 'kept' }
  } catch (error) {
    const { status, code } = failureOf(error)
    if (status === 412) return { kind: 'taken' }
    if (isAboutHeaders(status, code)) return { kind: 'refused', error }
    throw error
  }
}

/** Each store has words of its own for a header that it does not know; a signature over it may not fit either. */
function isAboutHeaders(status: number, code: string): boolean {
  return (
    status === 501 || status === 411 || (status === 400 && !OTHER_REASONS.has(code)) || code === 'SignatureDoesNotMatch'
  )
}

const OTHER_REASONS = new Set(['AuthorizationHeaderMalformed', 'InvalidBucketName', 'ExpiredToken', 'InvalidToken'])
