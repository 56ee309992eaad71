import { settingNames, settings } from './settings.ts'
import { commandNames, type Setting } from './settingTypes.ts'

const head = `# Configuration

<!-- Generated from src/cli/settings.ts by \`node scripts/writeConfigurationDocs.ts\`; a test compares the two. -->

A setting comes from a flag, else from an environment variable, else from \`.env\` in the current folder, else it has its default.
An empty variable counts as unset. A wrong value ends the command with exit code 2 and one line that names the setting, the value and what is
allowed. A variable that starts with \`MILLRACE_\` and is not in this table is warned about, and so is one that
is nearly the name of a \`KAFKA_\` setting.

Exit codes: 0 success, 1 the command failed while it ran (the message has a code and says what to do), 2 wrong usage or configuration, 130
when a second Ctrl-C cut the clean stop short.

## Settings

| setting | variable | flag | default | allowed | what it does | taken by |
|---|---|---|---|---|---|---|
`

const tail = `
## Standard variables of others

- \`AWS_REGION\`, \`AWS_ACCESS_KEY_ID\`, \`AWS_SECRET_ACCESS_KEY\`, \`AWS_SESSION_TOKEN\`, \`AWS_PROFILE\`, \`AWS_ENDPOINT_URL_S3\` and the
  rest of the AWS SDK's variables, when the archive is \`s3://…\`. They may stand in \`.env\` too.
- \`CI\`: no live table, plain lines. \`NO_COLOR\`: no colours.

## How candles are printed

Times are ISO 8601 in UTC with milliseconds. In csv and json every decimal has exactly 8 places. Prices and volumes have no more than 8, so
they are exact; \`quote_volume\` is kept with up to 16 places in the database and is rounded half to even, once, when it is printed. csv has all rows
of the range: \`--from\` is inclusive, \`--to\` exclusive, both are compared with the open time.

Next: every [command](commands.md), or what [errors](errors.md) mean.
`

/** docs/reference/configuration.md as it must be. */
export function configurationDocs(): string {
  const rows = settingNames.map((name) => row(name, settings[name]))
  return `${head}${rows.join('\n')}\n${tail}`
}

function row(name: string, setting: Setting): string {
  const cells = [
    name,
    code(setting.env),
    code(setting.flag),
    code(setting.default),
    setting.allowed,
    setting.secret === true ? `${setting.description} A secret: masked in messages.` : setting.description,
    takenBy(setting.commands),
  ]
  return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`
}

function takenBy(commands: Setting['commands']): string {
  const others = commandNames.filter((name) => !commands.includes(name))
  return others.length === 1 ? `all but ${others[0]}` : commands.join(', ')
}

function code(text: string | null): string {
  return text === null ? '' : `\`${text}\``
}
