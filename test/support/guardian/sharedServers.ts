import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { countUsers } from '../../../src/embedded/users.ts'
import { kafkaFolder } from '../kafkaJars.ts'
import { commandLineOf, type Seen } from './processes.ts'

/** Kept between runs of the tests, and joined by all that run at one time. */
export const sharedPostgresFolder = fileURLToPath(new URL('../../../.cache/test-postgres', import.meta.url))
export const sharedBrokerFolder = `${kafkaFolder}/shared`

/** True for a server that all runs of the tests share and that another run uses just now: that run ends it. */
export function isSharedAndUsed(server: Seen): boolean {
  const words = commandLineOf(server)
  const root = `${sharedPostgresFolder}/postgres`
  // Where PostgreSQL may not reach the checkout, its data are elsewhere, and a note says where.
  const cluster = existsSync(`${root}/location`) ? readFileSync(`${root}/location`, 'utf8').trim() : `${root}/data`
  const users = words.includes(`${sharedBrokerFolder}/`) ? sharedBrokerFolder : words.includes(cluster) ? root : null
  return users !== null && countUsers({ users: `${users}/users` }) > 0
}
