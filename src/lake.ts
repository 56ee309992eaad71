import './runtime/checkNode.ts'

export { type LakeWrite, type LakeWritten, writeLake } from './lake/lake.ts'
export { type Expired, type ExpireOptions, expireLake, sweepLake } from './lake/lakeCleanup.ts'
export type { LakePlace } from './lake/lakeCommit.ts'
export {
  type LakeColumn,
  type LakeRow,
  type LakeTable,
  type LakeTableOptions,
  type LakeType,
  type LakeValue,
  lakeTable,
} from './lake/lakeTable.ts'
export { type CatalogAddress, type RunningCatalog, serveCatalog } from './lake/restCatalog.ts'
export { type ToLakeOptions, toLake } from './lake/toLake.ts'
