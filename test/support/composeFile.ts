import { execFile } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)
const root = resolve(import.meta.dirname, '../..')
const program = join(root, '.cache/bin/compose')

/** The parts of a service that tests look at, as Docker would read them. */
export interface ComposeService {
  readonly image?: string
  readonly build?: { readonly target?: string }
  readonly user?: string
  readonly entrypoint?: readonly string[] | null
  readonly command?: readonly string[] | null
  readonly environment?: Readonly<Record<string, string | null>>
  readonly ports?: readonly { readonly host_ip?: string; readonly published?: string }[]
  readonly mem_limit?: string
  readonly cap_drop?: readonly string[]
  readonly security_opt?: readonly string[]
  readonly read_only?: boolean
  readonly restart?: string
  readonly profiles?: readonly string[]
  readonly healthcheck?: { readonly test?: readonly string[] }
  readonly volumes?: readonly { readonly type: string; readonly source: string }[]
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>
}

export interface ComposeFile {
  readonly services: Readonly<Record<string, ComposeService>>
  readonly volumes: Readonly<Record<string, unknown>>
}

/** Why the file cannot be read as Docker would, or null. */
export async function missingForCompose(): Promise<string | null> {
  if (existsSync(program)) return null
  return (await answers('go', ['version'])) ? null : 'there is no Go to build compose-go with'
}

async function answers(command: string, args: readonly string[]): Promise<boolean> {
  try {
    await run(command, [...args])
    return true
  } catch {
    return false
  }
}

/** docker-compose.yml with variables from an env file, by the library that Docker itself reads it with. Rejects with what is not valid in it. */
export async function readComposeFile(envFile: string): Promise<ComposeFile> {
  if (!existsSync(program)) await run('go', ['build', '-o', program, '.'], { cwd: join(root, 'scripts/ci/compose') })
  // Of this process's variables only the path: any other might stand in for one that the file must not have a default for.
  const env = { PATH: process.env.PATH ?? '' }
  const { stdout } = await run(program, [join(root, 'docker-compose.yml'), envFile], { cwd: tmpdir(), env })
  return JSON.parse(stdout) as ComposeFile
}

/** Runs `npm run env` for a folder of its own; gives the path of the file that it wrote. */
export async function makeEnvFile(): Promise<{ readonly path: string; remove(): void }> {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-env-'))
  const path = join(folder, '.env')
  await run(process.execPath, [join(root, 'scripts/makeEnv.ts'), path])
  return { path, remove: () => rmSync(folder, { recursive: true, force: true }) }
}
