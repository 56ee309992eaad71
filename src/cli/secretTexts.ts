import type { Environment } from './resolveSettings.ts'
import type { SettingName, SettingValues } from './settings.ts'
import { settings } from './settings.ts'
import type { Setting } from './settingTypes.ts'

/** What is so short, or a plain word such as `postgres`, stands in other words too, and keeps nothing secret. */
const isGuessed = (text: string) => text.length < 6 || /^[a-z]{1,10}$/.test(text)

/** By their name, variables of others: `AWS_SECRET_ACCESS_KEY`, `PGPASSWORD`, `SLACK_WEBHOOK_URL`. */
const secretName = /PASS(?:WORD|WD|PHRASE)|SECRET|TOKEN|CREDENTIAL|WEBHOOK|API_?KEY|PRIVATE_?KEY/i

/**
 * Texts that no message may have: values of settings and variables that are secrets, and of every address the password in it.
 * @param named variables that something else names, such as the addresses of channels
 */
export function secretTexts(values: SettingValues, env: Environment, named: readonly string[] = []): readonly string[] {
  const ofSettings = Object.entries(settings).flatMap(([name, setting]: [string, Setting]) =>
    setting.secret === true ? [values[name as SettingName]] : [],
  )
  const ofVariables = Object.entries(env).flatMap(([name, value]): readonly unknown[] => {
    const isSecret = (secretName.test(name) && !isPath(value)) || named.includes(name)
    return isSecret ? [value, ...passwordIn(value)] : passwordIn(value)
  })
  const texts = [...ofSettings.flatMap((value) => [value, ...passwordIn(value)]), ...ofVariables]
  const kept = texts.filter((text): text is string => typeof text === 'string' && !isGuessed(text))
  // The longest first: a part of one that went before would leave the rest.
  return [...new Set(kept)].sort((a, b) => b.length - a.length)
}

/** Where a secret is, and not the secret: `/run/secrets/token`, `./password`. */
function isPath(value: string | undefined): boolean {
  return value !== undefined && /^\.{0,2}\//.test(value)
}

/** As it stands in the address, and as it is meant. */
function passwordIn(value: unknown): readonly string[] {
  const [, written] =
    typeof value === 'string' ? (/^[a-z][a-z0-9+.-]*:\/\/[^/?#\s]*?:([^/?#\s]+)@/i.exec(value) ?? []) : []
  if (written === undefined) return []
  try {
    return [written, decodeURIComponent(written)]
  } catch {
    // Not percent-encoded, so it is meant as it is written.
    return [written]
  }
}
