import { createHash } from 'node:crypto'
import { RetryableError } from '../../runtime/errors.ts'
import { Silence } from '../../runtime/firstWords.ts'
import type { ObjectStore } from '../../runtime/objectStore.ts'

const KEY = '_millrace/probe'
const deadlineMs = 90_000
const BODY = Buffer.from('Tells whether objects can be written and read here. May be deleted.\n')

/**
 * Writes a small object as an archive does, reads it and lists it: all the rights that an archive needs. The object stays, since the right to delete is
 * not needed. Throws what the store refuses, `RetryableError` where it takes longer than 90 s, and an Error where it gives back other bytes.
 */
export async function probeStore(store: ObjectStore): Promise<void> {
  const late = Promise.withResolvers<never>()
  // Longer than a store that says nothing at all takes to be given up; one that answers byte by byte never is.
  const timer = setTimeout(() => late.reject(notInTime(store)), deadlineMs)
  const probing = probe(store)
  // Nobody hears any more of one that comes to an end after that.
  probing.catch(() => undefined)
  await Promise.race([probing, late.promise]).finally(() => clearTimeout(timer))
}

function notInTime({ location }: ObjectStore): RetryableError {
  return new RetryableError(
    `${location} has not taken a small object, given it back and listed it in ${deadlineMs / 1_000} s; is it a store that listens there (AWS_ENDPOINT_URL_S3), and is it well?`,
    { cause: new Silence(location) },
  )
}

async function probe(store: ObjectStore): Promise<void> {
  await store.put(KEY, BODY, createHash('sha256').update(BODY).digest('hex'))
  const read = await store.get(KEY)
  if (read?.equals(BODY) !== true)
    throw new Error(`${store.location} gives back other bytes than it was given (${KEY})`)
  for await (const { key } of store.list(KEY)) if (key === KEY) return
  throw new Error(`${store.location} does not list what it was given (${KEY})`)
}
