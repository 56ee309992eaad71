// Writes a .env with random secrets for docker-compose.yml; one that is there already is left as it is.
import { randomBytes } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { resolve } from 'node:path'

const secrets: Readonly<Record<string, () => string>> = {
  POSTGRES_PASSWORD: () => randomBytes(24).toString('hex'),
  S3_ROOT_ACCESS_KEY: () => randomBytes(10).toString('hex'),
  S3_ROOT_SECRET_KEY: () => randomBytes(24).toString('hex'),
  POSTGRES_OWNER_PASSWORD: () => randomBytes(24).toString('hex'),
  POSTGRES_SUPERUSER_PASSWORD: () => randomBytes(24).toString('hex'),
  POSTGRES_READER_PASSWORD: () => randomBytes(24).toString('hex'),
  SUPERSET_SECRET_KEY: () => randomBytes(32).toString('hex'),
  SUPERSET_PASSWORD: () => randomBytes(24).toString('hex'),
  S3_ACCESS_KEY: () => randomBytes(10).toString('hex'),
  S3_SECRET_KEY: () => randomBytes(24).toString('hex'),
  KAFKA_LOGIN_PASSWORD: () => randomBytes(24).toString('hex'),
  METRICS_TOKEN: () => randomBytes(24).toString('hex'),
  GRAFANA_PASSWORD: () => randomBytes(24).toString('hex'),
  // A leading dash would pass for an option where the id is an argument.
  KAFKA_CLUSTER_ID: () => `A${randomBytes(16).toString('base64url').slice(1)}`,
}

const path = resolve(process.argv[2] ?? '.env')
const example = readFileSync(resolve(import.meta.dirname, '../.env.example'), 'utf8')
const filled = example.replace(/^([A-Z0-9_]+)=$/gm, (line, name: string) => {
  const make = secrets[name]
  return make === undefined ? line : `${name}=${make()}`
})
try {
  // For nobody else, and only where there is none: its secrets may be in use.
  writeFileSync(path, filled, { mode: 0o600, flag: 'wx' })
  process.stdout.write(
    `${path} written, with random secrets. Keep it: the volumes of docker-compose.yml depend on it.\n`,
  )
} catch (error) {
  if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  process.stderr.write(
    `${path} is there already and is left as it is. Remove it first if its secrets are not in use.\n`,
  )
  process.exitCode = 1
}
