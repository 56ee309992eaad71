import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { ConfigurationError } from '../../../src/runtime/errors.ts'
import { openPool } from '../../../src/sinks/postgres/connection.ts'
import { databaseLocation, parseDatabaseUrl } from '../../../src/sinks/postgres/databaseUrl.ts'
import { tlsOptions } from '../../../src/sinks/postgres/tls.ts'

const parse = (text: string, env: Readonly<Record<string, string>> = {}) => parseDatabaseUrl(text, env)

function refusalOf(text: string, env: Readonly<Record<string, string>> = {}): string {
  try {
    parse(text, env)
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigurationError)
    return (error as Error).message
  }
  throw new Error(`${text} was taken`)
}

describe('an address of PostgreSQL', () => {
  test.each([
    ['postgres://me:secret@db.example:6432/shop', { host: 'db.example', port: 6432, user: 'me', database: 'shop' }],
    ['postgresql://me@h/shop/', { port: 5432, password: undefined, database: 'shop' }],
    ['postgres://me:a%2Fb%23c%3Fd%40e%25@h/x', { password: 'a/b#c?d@e%' }],
    ['postgres://[::1]:5433/x', { host: '::1', port: 5433 }],
    ['postgresql:///x?host=/var/run/postgresql', { host: '/var/run/postgresql', database: 'x' }],
    ['postgres://%2Fvar%2Frun%2Fpostgresql/x', { host: '/var/run/postgresql' }],
    ['postgres://h/?dbname=x&user=me&port=1', { database: 'x', user: 'me', port: 1 }],
    ['postgres://h/x?ssl=true', { sslmode: 'require' }],
    ['postgres://h/x?connect_timeout=7&application_name=a%20b', { connectTimeoutMs: 7_000, applicationName: 'a b' }],
  ])('%s', (text, parts) => {
    expect(parse(text)).toMatchObject(parts)
  })

  test('is completed by the variables of libpq, which never win over it', () => {
    const env = { PGHOST: 'other', PGPORT: '7', PGUSER: 'u', PGPASSWORD: 'p', PGDATABASE: 'd', PGSSLMODE: 'require' }
    expect(parse('postgres://', env)).toMatchObject({ host: 'other', port: 7, user: 'u', password: 'p', database: 'd' })
    expect(parse('postgres:///mine', env)).toMatchObject({ host: 'other', database: 'mine', sslmode: 'require' })
    expect(parse('postgres://me:pw@h:8/mine?sslmode=disable', env)).toMatchObject({
      host: 'h',
      port: 8,
      user: 'me',
      password: 'pw',
      sslmode: 'disable',
    })
  })

  test.each([
    ['postgres://me:hunter2@h:99999/x', /port 99999 .*from 1 to 65535/],
    ['postgres://h:0/x', /port 0/],
    ['postgres://me:hunter2/x@h/x', /percent-encoded.*%2F/],
    ['postgres://me:hunter2#x@h/x', /percent-encoded/],
    ['postgres://me:hunter2%zz@h/x', /%25/],
    ['mysql://me:hunter2@h/x', /does not begin with postgres:\/\//],
    ['me:hunter2@h/x', /does not begin with postgres:\/\//],
    ['postgres://h1,h2/x', /several hosts/],
    ['postgres://h/x?sslmode=bogus', /sslmode "bogus".*disable, require, verify-ca or verify-full/],
    ['postgres://h/x?sslmode=prefer', /sslmode "prefer".*say disable for no TLS or require for TLS/],
    ['postgres://h/x?sslmode=allow', /sslmode "allow"/],
    ['postgres://h/x?sslmod=require', /no parameter "sslmod"/],
    ['postgres://h/x?client_encoding=latin1', /client_encoding latin1.*leave it out/],
    ['postgres://h/x?connect_timeout=soon', /connect_timeout soon/],
  ])('%s is refused, with what is wrong and without the password', (text, why) => {
    const message = refusalOf(text)
    expect(message).toMatch(why)
    expect(message).toContain('postgres:///database?host=/var/run/postgresql for a socket')
    expect(message).not.toContain('hunter2')
  })

  test('what a variable says is refused by its name', () => {
    expect(refusalOf('postgres://h/x', { PGSSLMODE: 'bogus' })).toContain('sslmode "bogus" (PGSSLMODE)')
    expect(refusalOf('postgres:///x', { PGPORT: '99999' })).toContain('port 99999 (PGPORT)')
  })

  test('is told to people without user and password', () => {
    for (const [text, location] of [
      ['postgres://me:pw@h/x', 'postgres://h:5432/x'],
      ['postgres://me:pw@[::1]:1/x', 'postgres://[::1]:1/x'],
      ['postgres:///x?host=/run', 'postgres:///x?host=/run'],
    ] as const)
      expect(databaseLocation(parse(text))).toBe(location)
  })
})

describe('TLS to PostgreSQL', () => {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-pem-'))
  const optionsOf = (parameters: string) => tlsOptions(parse(`postgres://h/x?${parameters}`))

  test('means what it means in libpq', () => {
    const root = join(folder, 'root.pem')
    writeFileSync(root, '-----BEGIN CERTIFICATE-----\n')
    expect(optionsOf('')).toBe(false)
    expect(optionsOf('sslmode=disable')).toBe(false)
    expect(optionsOf('sslmode=require')).toEqual({ rejectUnauthorized: false })
    expect(optionsOf('sslmode=verify-full')).toEqual({ rejectUnauthorized: true })
    expect(optionsOf('sslmode=verify-full&sslrootcert=system')).toEqual({ rejectUnauthorized: true })
    for (const mode of ['require', 'verify-ca']) {
      const options = optionsOf(`sslmode=${mode}&sslrootcert=${root}`)
      expect(options).toMatchObject({ rejectUnauthorized: true, ca: '-----BEGIN CERTIFICATE-----\n' })
      expect(options).toHaveProperty('checkServerIdentity')
    }
    rmSync(folder, { recursive: true })
  })

  test('a file that is missing, or is no certificate, is a mistake and nothing to wait for', () => {
    const open = (file: string) =>
      openPool({ connectionString: `postgres://h/x?sslmode=verify-full&sslrootcert=${file}` }, { schema: 'public' })
    expect(() => open('/nowhere/ca.pem')).toThrow(ConfigurationError)
    expect(() => open('/nowhere/ca.pem')).toThrow(/cannot read \/nowhere\/ca.pem \(ENOENT\), which sslrootcert/)
    expect(() => open('/etc/hostname')).toThrow(/no PEM file/)
  })
})
