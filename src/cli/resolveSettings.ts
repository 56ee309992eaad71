import { readFileSync } from 'node:fs'
import { parseEnv } from 'node:util'
import { ConfigurationError } from '../runtime/errors.ts'
import { NotAllowed } from './settingReaders.ts'
import type { SettingName, SettingValues } from './settings.ts'
import { settingNames, settings, settingsOf } from './settings.ts'
import type { CommandName, Setting } from './settingTypes.ts'
import { unknownVariables } from './unknownVariables.ts'

export type Environment = Readonly<Record<string, string | undefined>>

/** Which of the four places a value came from. */
export type Origin = 'flag' | 'environment' | '.env' | 'default'

export interface SettingsInput {
  readonly command: CommandName
  /** By setting, as text; a switch that is on is 'true'. */
  readonly flags: Readonly<Partial<Record<SettingName, string>>>
  readonly env: Environment
  /** What `.env` holds, or an empty object. */
  readonly envFile: Environment
}

export interface ResolvedSettings {
  readonly values: SettingValues
  readonly origins: Readonly<Record<SettingName, Origin>>
  /** One line each, for stderr. */
  readonly warnings: readonly string[]
}

/**
 * Values of all settings: flag over environment over `.env` over default. Only those that the command takes are checked, so that
 * a slip in a setting of `run` does not keep `status` from working; the others have their default.
 *
 * Throws `ConfigurationError` naming the setting, the value and what is allowed; secrets are masked.
 */
export function resolveSettings(input: SettingsInput): ResolvedSettings {
  const taken = new Set(settingsOf(input.command))
  const values: Partial<Record<SettingName, unknown>> = {}
  const origins: Partial<Record<SettingName, Origin>> = {}
  for (const name of settingNames) {
    const setting: Setting = settings[name]
    const [text, origin] = taken.has(name) ? find(name, setting, input) : [setting.default, 'default' as const]
    origins[name] = origin
    values[name] = text === null ? undefined : parse(input.command, name, setting, text, origin)
  }
  return {
    // Every name of the table was visited and every value came out of its own schema.
    values: values as SettingValues,
    origins: origins as Record<SettingName, Origin>,
    warnings: [
      ...unknownVariables(
        [...Object.keys(input.env), ...Object.keys(input.envFile)],
        settingNames.flatMap((name) => settings[name].env ?? []),
      ),
      ...(taken.has('databaseUrl') && values.databaseUrl === undefined ? ignoredHost(input.env) : []),
    ],
  }
}

/** The variables of libpq complete an address, and do not make one: they are often set for other programs. */
function ignoredHost({ PGHOST }: Environment): readonly string[] {
  if (PGHOST === undefined || PGHOST === '') return []
  return [
    'warning: PGHOST is ignored while DATABASE_URL is not set, and the embedded database is used; DATABASE_URL=postgres:///DATABASE takes the rest from PGHOST, PGUSER and the like.',
  ]
}

function find(name: SettingName, setting: Setting, input: SettingsInput): readonly [string | null, Origin] {
  const flag = input.flags[name]
  if (flag !== undefined) return [flag, 'flag']
  if (setting.env !== null) {
    // An empty variable means unset, as `FOO= command` and a bare `FOO=` in .env are meant.
    const variable = input.env[setting.env]
    if (variable !== undefined && variable !== '') return [variable, 'environment']
    const line = input.envFile[setting.env]
    if (line !== undefined && line !== '') return [line, '.env']
  }
  return [setting.default, 'default']
}

function parse(command: CommandName, name: SettingName, setting: Setting, text: string, origin: Origin): unknown {
  const value = setting.read(text)
  if (!(value instanceof NotAllowed)) return value
  if (value.says !== null) throw new ConfigurationError(`${placeOf(name, setting, origin)}: ${value.says}.`)
  const shown = setting.secret === true ? '"***"' : JSON.stringify(text)
  throw new ConfigurationError(
    `${placeOf(name, setting, origin)}: ${shown} is not allowed; allowed: ${setting.narrower?.[command]?.allowed ?? setting.allowed}.`,
  )
}

/** How a user knows the setting, from where the value came: `--market`, `MILLRACE_MARKET`, `MILLRACE_MARKET in .env`. */
export function placeOf(name: SettingName, setting: Setting, origin: Origin): string {
  if (origin === 'flag' && setting.flag !== null) return flagName(setting.flag)
  if (setting.env === null) return setting.flag === null ? name : flagName(setting.flag)
  return origin === '.env' ? `${setting.env} in .env` : setting.env
}

export function flagName(flag: string): string {
  return flag.split(' ')[0] ?? flag
}

/** Reads `.env`; a file that is not there is an empty one. Throws `ConfigurationError` when it is there and cannot be read. */
export function readEnvFile(path: string): Environment {
  let bytes: Buffer
  try {
    bytes = readFileSync(path)
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined
    if (code === 'ENOENT') return {}
    throw new ConfigurationError(`${path}: cannot be read (${String(code)}); make it a readable file or remove it.`, {
      cause: error,
    })
  }
  const isUtf16 = (bytes[0] === 0xff && bytes[1] === 0xfe) || (bytes[0] === 0xfe && bytes[1] === 0xff)
  if (isUtf16 || bytes.includes(0)) {
    throw new ConfigurationError(
      `${path}: ${isUtf16 ? 'is in UTF-16' : 'is no text in UTF-8'}, as the redirection of older Windows PowerShell writes it; save it as UTF-8 (iconv -f UTF-16 -t UTF-8).`,
    )
  }
  // An editor's byte order mark would become part of the first name.
  return parseEnv(new TextDecoder('utf-8', { ignoreBOM: false }).decode(bytes))
}
