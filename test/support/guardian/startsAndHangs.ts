// A run of tests in small, to be killed: starts a database of its own, and a process that outlives it, and says so.
import { spawn } from 'node:child_process'
import { startOrJoin } from '../../../src/embedded/embeddedPostgres.ts'
import { allProcesses } from './processes.ts'
import { startGuardian } from './startGuardian.ts'

startGuardian()
await startOrJoin(process.argv[2] ?? '')
const server = [...allProcesses().values()].find((one) => one.name === 'postgres' && one.parent === process.pid)
const child = spawn('sleep', ['300'], { detached: true, stdio: 'ignore' })
child.unref()
// Long enough for the guardian to have seen them.
setTimeout(() => process.stdout.write(`${server?.pid} ${child.pid}\n`), 2_000)
setInterval(() => undefined, 60_000)
