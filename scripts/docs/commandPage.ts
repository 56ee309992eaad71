import { commandGroups, commandList } from '../../src/cli/commandList.ts'
import { settings, settingsOf } from '../../src/cli/settings.ts'
import type { CommandName, Setting } from '../../src/cli/settingTypes.ts'
import type { GeneratedPage } from './operatorPages.ts'

/** What `--help` says, of all commands. */
export function commandPage(): GeneratedPage {
  const sections = [...commandList].map(([name, { description, args = [], examples }]) => {
    const usage = ['millrace', name, ...args.map((arg) => arg.name), '[options]'].join(' ')
    return [
      `## ${name}`,
      description,
      `\`\`\`sh\n${usage}\n\n${examples.map((example) => `npx ${example}`).join('\n')}\n\`\`\``,
      optionTable(name),
    ].join('\n\n')
  })
  const groups = Object.entries(commandGroups).map(([word, text]) => `- \`millrace ${word}\`: ${text}`)
  return {
    path: 'reference/commands',
    title: 'Commands',
    text: ['# Commands', 'Each prints the same by `--help`.', groups.join('\n'), ...sections, ''].join('\n\n'),
  }
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
