import './runtime/checkNode.ts'

export { type RawArchiveOptions, rawArchive } from './sinks/archive/rawArchive.ts'
export { type ArchivedRecord, readArchiveObject } from './sinks/archive/readArchiveObject.ts'
export { type SweepOptions, sweepOrphans } from './sinks/archive/sweepOrphans.ts'
export { directoryStore } from './sinks/objects/directoryStore.ts'
export { type S3StoreOptions, s3Store } from './sinks/objects/s3Store.ts'
