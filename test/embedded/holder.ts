import { startOrJoin } from '../../src/embedded/embeddedPostgres.ts'
import { acquireRunLock } from '../../src/embedded/runLock.ts'

// A process of its own for the tests: uses the server (or takes the run lock) of a data folder, says so, and stays until it is told to stop.
const [dataDir, what] = process.argv.slice(2)
if (dataDir === undefined) throw new Error('usage: holder.ts DATA_DIR [lock]')

if (what === 'lock') {
  acquireRunLock(dataDir)
  process.stdout.write('ready 0\n')
} else {
  const server = await startOrJoin(dataDir)
  process.stdout.write(`ready ${server.serverPid}\n`)
  process.stdin.once('end', () => void server.stop().then(() => process.exit(0)))
}
process.stdin.resume()
