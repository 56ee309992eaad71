import { startOrJoin } from '../../src/embedded/embeddedPostgres.ts'
import { acquireRunLock } from '../../src/embedded/runLock.ts'

// A process of its own for the tests: uses the server (or takes the run lock) of a data folder, says so, and stays until its input ends; then it lets
// go of the server in order, or ends without.
const [dataDir, what = 'stop'] = process.argv.slice(2)
if (dataDir === undefined) throw new Error('usage: holder.ts DATA_DIR [lock | stop | exit | throw]')

if (what === 'lock') {
  await acquireRunLock(dataDir)
  process.stdout.write('ready 0\n')
} else {
  const server = await startOrJoin(dataDir)
  process.stdout.write(`ready ${server.serverPid}\n`)
  process.stdin.once('end', () => {
    if (what === 'exit') process.exit(0)
    if (what === 'throw') throw new Error('nobody catches this')
    void server.stop().then(() => process.exit(0))
  })
}
process.stdin.resume()
