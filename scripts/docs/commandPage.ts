import { commandGroups, describe } from '../../src/cli/commandList.ts'
import { settings, settingsOf } from '../../src/cli/settings.ts'
import { type CommandName, commandNames, type Setting } from '../../src/cli/settingTypes.ts'

const head = `# Commands

<!-- Generated from src/cli/described by \`node scripts/writeConfigurationDocs.ts\`; a test compares the two. -->

Type \`npx millrace COMMAND --help\` for the same on your screen. All commands work whether or not a pipeline is running. In a checkout, \`npx millrace\` takes npm two to three seconds, in which it looks through the whole of \`node_modules\`; \`node_modules/.bin/millrace\` is the same command in a third of one.`

const tail = `Next: every [setting](configuration.md) with its variable, and what [errors](errors.md) mean.
`

/** docs/reference/commands.md as it must be: what `--help` says, of all commands. */
export async function commandPage(): Promise<string> {
  const described = [...(await describe(commandNames))]
  const sections = described.map(([name, { description, args = [], examples }]) => {
    const usage = ['millrace', name, ...args.map((arg) => arg.name), '[options]'].join(' ')
    return [
      `## ${name}`,
      description,
      `\`\`\`sh\n${usage}\n\n${examples.map((example) => example.replace(/(?<![\w./-])millrace /, 'npx millrace ')).join('\n')}\n\`\`\``,
      optionTable(name),
    ].join('\n\n')
  })
  const groups = Object.entries(commandGroups).map(([word, text]) => `- \`millrace ${word}\`: ${text}`)
  const overview = described.map(([name, { description }]) => {
    const [first = ''] = description.split(/(?<=[.;:]) /)
    return `| [\`${name}\`](#${name.replace(' ', '-')}) | ${first.replace(/[.;:]$/, '')} |`
  })
  const table = ['| command | what it does |', '|---|---|', ...overview].join('\n')
  return [head, table, 'Some commands share a first word:', groups.join('\n'), ...sections, tail].join('\n\n')
}

function optionTable(command: CommandName): string {
  const rows = settingsOf(command).flatMap((name) => {
    const setting: Setting = settings[name]
    if (setting.flag === null) return []
    const { allowed = setting.allowed, description = setting.description } = setting.narrower?.[command] ?? {}
    const cells = [
      `\`${setting.flag}\``,
      setting.env === null ? '' : `\`${setting.env}\``,
      setting.default ?? '',
      allowed,
      description,
    ]
    return [`| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`]
  })
  return ['| flag | variable | default | allowed | what it does |', '|---|---|---|---|---|', ...rows].join('\n')
}
