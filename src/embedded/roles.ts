import { randomBytes } from 'node:crypto'
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import type pg from 'pg'
import { openConnection, type PostgresConnection, quoteIdentifier } from '../sinks/postgres/connection.ts'
import type { Layout } from './layout.ts'

/** Owns the database and what is in it, and may do nothing to the server or the machine. Everything but what is here connects as it. */
export const ownerRole = 'millrace'
/** Makes the owner and its database, and is not used for anything else. */
export const superuserRole = 'postgres'

/** What the superuser of folders of before is called once its name belongs to the owner. It can no longer log in. */
const formerRole = 'millrace_former'
/** The owner, until all is its own. */
const comingRole = 'millrace_coming'

const session = { schema: 'public', applicationName: 'millrace roles', connectTimeoutMs: 10_000 }

/** Makes a password that nobody has to type. */
export function newPassword(): string {
  return randomBytes(24).toString('base64url')
}

/** Keeps a password where only this account can read it. It is there whole or not at all. */
export function keepPassword(path: string, password: string): void {
  const draft = `${path}.${process.pid}`
  writeFileSync(draft, password, { mode: 0o600 })
  renameSync(draft, path)
}

/** Makes the owner and its database where they are missing. */
export async function makeOwner(layout: Layout, connection: PostgresConnection): Promise<void> {
  await asSuperuser(layout, connection, 'postgres', async (client) => {
    const { rowCount } = await client.query('SELECT 1 FROM pg_roles WHERE rolname = $1', [connection.user])
    if (rowCount === 0) await setRole(client, 'CREATE', connection.user, connection.password, 'NOSUPERUSER')
    const found = await client.query('SELECT 1 FROM pg_database WHERE datname = $1', [connection.database])
    if (found.rowCount !== 0) return
    const [database, owner] = [connection.database, connection.user].map(quoteIdentifier)
    await client.query(`CREATE DATABASE ${database} OWNER ${owner}`)
  })
}

/** Whether the role is one of before, that could read every file of the server's account and run programs as it. */
export async function isSuperuser(client: pg.ClientBase): Promise<boolean> {
  const { rows } = await client.query<{ found: boolean }>(
    'SELECT rolsuper AS found FROM pg_roles WHERE rolname = current_user',
  )
  return rows[0]?.found === true
}

/**
 * Brings a folder of before over, whose one role was the superuser: that gets another name and may no longer log in, and a role without its powers gets its
 * name, its password and all that it owned. Can be killed at any moment and done again.
 */
export async function demoteOwner(layout: Layout, connection: PostgresConnection): Promise<void> {
  if (!existsSync(layout.superuser)) keepPassword(layout.superuser, newPassword())
  const former = await openConnection(connection, session)
  try {
    const { rows } = await former.query<{ name: string }>('SELECT rolname AS name FROM pg_roles')
    const has = (role: string) => rows.some(({ name }) => name === role)
    const verbOf = (role: string) => (has(role) ? 'ALTER' : 'CREATE')
    await setRole(former, verbOf(superuserRole), superuserRole, passwordOf(layout), 'SUPERUSER')
    await setRole(former, verbOf(comingRole), comingRole, connection.password, 'NOSUPERUSER')
  } finally {
    await former.end()
  }
  const databases = await asSuperuser(layout, connection, 'postgres', async (client) => {
    const { rows } = await client.query<{ name: string }>(
      'SELECT datname AS name FROM pg_database WHERE datallowconn AND NOT datistemplate',
    )
    return rows.map(({ name }) => name)
  })
  for (const database of databases) {
    await asSuperuser(layout, connection, database, async (client) => {
      await client.query(handOver)
    })
  }
  await asSuperuser(layout, connection, 'postgres', async (client) => {
    await client.query(
      `BEGIN; ALTER ROLE ${ownerRole} RENAME TO ${formerRole}; ALTER ROLE ${formerRole} NOLOGIN; ALTER ROLE ${comingRole} RENAME TO ${ownerRole}; COMMIT`,
    )
  })
}

/** All in the database that the superuser of before has made. What belongs to another thing (a sequence to its column) goes with it. */
const handOver = `DO $$
DECLARE one record;
BEGIN
  FOR one IN
    SELECT format('ALTER DATABASE %I OWNER TO ${comingRole}', datname) AS statement FROM pg_database
      WHERE datname = current_database() AND datname <> 'postgres' AND pg_get_userbyid(datdba) = '${ownerRole}'
    UNION ALL
    SELECT format('ALTER SCHEMA %I OWNER TO ${comingRole}', nspname) FROM pg_namespace
      WHERE nspname !~ '^pg_' AND nspname <> 'information_schema' AND pg_get_userbyid(nspowner) = '${ownerRole}'
    UNION ALL
    SELECT format('ALTER %s %s OWNER TO ${comingRole}',
      CASE relkind WHEN 'v' THEN 'VIEW' WHEN 'm' THEN 'MATERIALIZED VIEW' WHEN 'S' THEN 'SEQUENCE' WHEN 'f' THEN 'FOREIGN TABLE' ELSE 'TABLE' END, c.oid::regclass)
      FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
      WHERE relkind IN ('r', 'p', 'v', 'm', 'S', 'f') AND nspname !~ '^pg_' AND nspname <> 'information_schema'
        AND pg_get_userbyid(relowner) = '${ownerRole}'
        AND NOT (relkind = 'S' AND EXISTS (SELECT FROM pg_depend WHERE objid = c.oid AND classid = 'pg_class'::regclass AND deptype IN ('a', 'i')))
    UNION ALL
    SELECT format('ALTER ROUTINE %s OWNER TO ${comingRole}', p.oid::regprocedure) FROM pg_proc p JOIN pg_namespace n ON n.oid = pronamespace
      WHERE prokind <> 'a' AND nspname !~ '^pg_' AND nspname <> 'information_schema' AND pg_get_userbyid(proowner) = '${ownerRole}'
    UNION ALL
    SELECT format('ALTER TYPE %s OWNER TO ${comingRole}', t.oid::regtype) FROM pg_type t JOIN pg_namespace n ON n.oid = typnamespace
      WHERE (typtype IN ('d', 'e', 'r') OR (typtype = 'c' AND EXISTS (SELECT FROM pg_class WHERE oid = typrelid AND relkind = 'c')))
        AND nspname !~ '^pg_' AND nspname <> 'information_schema' AND pg_get_userbyid(typowner) = '${ownerRole}'
  LOOP
    EXECUTE one.statement;
  END LOOP;
END $$`

async function asSuperuser<T>(
  layout: Layout,
  connection: PostgresConnection,
  database: string,
  use: (client: pg.Client) => Promise<T>,
): Promise<T> {
  const address = { ...connection, user: superuserRole, password: passwordOf(layout), database }
  const client = await openConnection(address, session)
  try {
    return await use(client)
  } finally {
    await client.end()
  }
}

function passwordOf(layout: Layout): string {
  return readFileSync(layout.superuser, 'utf8')
}

/** A statement that takes no parameters; the server quotes what goes into it. */
async function setRole(
  client: pg.ClientBase,
  verb: 'CREATE' | 'ALTER',
  name: string,
  password: string,
  power: 'SUPERUSER' | 'NOSUPERUSER',
): Promise<void> {
  const { rows } = await client.query<{ statement: string }>(
    `SELECT format('${verb} ROLE %I LOGIN ${power} PASSWORD %L', $1::text, $2::text) AS statement`,
    [name, password],
  )
  await client.query(rows[0]?.statement ?? '')
}
