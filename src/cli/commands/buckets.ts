import { s3Access } from '../../host/s3Access.ts'
import { createBucket } from '../../sinks/objects/createBucket.ts'
import type { CommandContext } from '../commandContext.ts'
import { exitOk } from '../exit.ts'

const defaultBuckets = ['raw', 'bronze', 'silver', 'gold'] as const

/** Makes the buckets that are not there yet, and says which. */
export async function createBuckets({ settings, args, env, output }: CommandContext): Promise<number> {
  for (const bucket of args.length === 0 ? defaultBuckets : args) {
    const isNew = await createBucket(bucket, s3Access(env, settings.s3PathStyle))
    await output.out(`bucket ${bucket}: ${isNew ? 'made' : 'is there already'}\n`)
  }
  return exitOk
}
