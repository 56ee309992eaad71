import { batchPass } from '../../../src/batch/batchPass.ts'
import { tradeCodec } from '../../../src/market/tradeCodec.ts'
import { silverBoundary } from '../../../src/pipelines/silverBoundary.ts'
import { directoryStore } from '../../../src/sinks/objects/directoryStore.ts'
import type { PostgresConnection } from '../../../src/sinks/postgres/connection.ts'

/** What a pass is given that is meant to be killed. */
export interface PassPlace {
  readonly address: PostgresConnection
  readonly schema: string
  readonly archive: string
  readonly lake: string
}

const { address, schema, archive, lake } = JSON.parse(process.argv[2] ?? '') as PassPlace
process.stdout.write('begins\n')
await batchPass(
  {
    trades: tradeCodec({ market: 'spot', timeUnit: 'ms' }),
    archive: directoryStore(archive),
    lake: { store: directoryStore(lake), keyPrefix: '', catalog: 'millrace' },
    quality: silverBoundary,
  },
  { database: { address, schema }, runId: String(process.pid), signal: new AbortController().signal },
)
process.stdout.write('done\n')
