import { statSync } from 'node:fs'
import { resolve } from 'node:path'
import type { AlertEvent } from '../../market/alertEvent.ts'
import type { AlertRule } from '../../operators/alerts/alertRule.ts'
import type { Duration } from '../../runtime/duration.ts'
import { ConfigurationError } from '../../runtime/errors.ts'
import type { AlertChannel } from '../../sinks/toAlerts.ts'
import type { Environment } from '../resolveSettings.ts'
import { type ChannelEntry, readAlertsFile, type SilenceEntry } from './alertsFile.ts'

/** The rules and channels of a run, whole: what stands in variables is filled in. Goes to worker processes as it is. */
export interface AlertPlan {
  /** Where the silences stand, which may change while it runs. */
  readonly path: string
  readonly rules: readonly AlertRule[]
  readonly channels: readonly PlannedChannel[]
}

interface PlannedChannel {
  readonly name: string
  readonly kind: ChannelEntry['kind']
  readonly url: string | null
  readonly headers: Readonly<Record<string, string>>
  readonly maxAge: string | number | null
  readonly severities: readonly AlertEvent['severity'][] | null
  readonly rules: readonly string[] | null
}

/** The plan of the file. Throws `ConfigurationError` where the file is not well formed, or a variable is not set. */
export function planAlerts(path: string, env: Environment): AlertPlan {
  const { file } = readAlertsFile(path)
  return {
    path: resolve(path),
    rules: file.rules,
    channels: file.channels.map(({ name, kind, urlFrom, headersFrom = {}, maxAge, severities, rules }) => ({
      name,
      kind,
      url: urlFrom === undefined ? null : setValue(env, urlFrom, path, name),
      headers: Object.fromEntries(
        Object.entries(headersFrom).map(([header, variable]) => [header, setValue(env, variable, path, name)]),
      ),
      maxAge: maxAge ?? null,
      severities: severities ?? null,
      rules: rules ?? null,
    })),
  }
}

/** Where alerts go, by the name of the channel. */
export function channelsOf({ path, channels }: AlertPlan): ReadonlyMap<string, AlertChannel> {
  const silences = new Silences(path)
  return new Map(
    channels.map(({ name, kind, url, headers, maxAge, severities, rules }) => [
      name,
      {
        kind,
        headers,
        isSilenced: (event, now) => silences.has(event, now),
        ...(url === null ? {} : { url }),
        ...(maxAge === null ? {} : { maxAge: maxAge as Duration }),
        ...(severities === null ? {} : { severities }),
        ...(rules === null ? {} : { rules }),
      },
    ]),
  )
}

/** The silences of a file, as they are when somebody asks. Of a file that is gone or broken the last ones hold. */
class Silences {
  readonly #path: string
  #seen: string | null = null
  #list: readonly SilenceEntry[] = []

  constructor(path: string) {
    this.#path = path
  }

  has({ rule, symbol }: AlertEvent, now: number): boolean {
    this.#look()
    return this.#list.some(
      (one) => one.rule === rule && now < one.until && (one.symbols === undefined || one.symbols.includes(symbol)),
    )
  }

  #look(): void {
    try {
      const { mtimeMs, size } = statSync(this.#path)
      const seen = `${mtimeMs} ${size}`
      if (seen === this.#seen) return
      this.#seen = seen
      this.#list = readAlertsFile(this.#path).file.silences
    } catch (error) {
      // To be woken once too often is better than not at all, so nothing is silenced that was not before.
      process.emitWarning(`silences of ${this.#path}: ${error instanceof Error ? error.message : String(error)}`)
    }
  }
}

function setValue(env: Environment, variable: string, path: string, channel: string): string {
  const value = env[variable]
  if (value !== undefined && value !== '') return value
  throw new ConfigurationError(
    `${path}: channel ${channel} takes what ${variable} says, and that is not set. Set it, or take the channel out.`,
  )
}
