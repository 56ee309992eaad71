// Starts the PostgreSQL that all test files share and keeps it until this process is told to end, so that it is not started anew wherever one file ends before the next begins.
import { startOrJoin } from '../../../src/embedded/embeddedPostgres.ts'
import { sharedPostgresFolder } from '../../../test/support/guardian/sharedServers.ts'
import { untilToldToEnd } from '../untilToldToEnd.ts'

const server = await startOrJoin(sharedPostgresFolder)
process.stdout.write('PostgreSQL is there\n')
untilToldToEnd(() => server.stop())
