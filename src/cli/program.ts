import { Command, CommanderError, Option } from 'commander'
import { systemClock } from '../runtime/clock.ts'
import { ConfigurationError } from '../runtime/errors.ts'
import { pasteable } from './commandFor.ts'
import { commandGroups, describe } from './commandList.ts'
import type { CommandDescription } from './described/commandDescription.ts'
import { describeFailure, exitFailure, exitOk, exitUsage, oneLine, UsageError } from './exit.ts'
import { logOutput } from './logOutput.ts'
import { loggingCommands } from './logSettingTable.ts'
import { masked } from './masked.ts'
import type { Output } from './output.ts'
import type { Environment } from './resolveSettings.ts'
import { readEnvFile, resolveSettings } from './resolveSettings.ts'
import { secretTexts } from './secretTexts.ts'
import type { SettingName, SettingValues } from './settings.ts'
import { settings, settingsOf } from './settings.ts'
import { type CommandName, commandNames, type Setting } from './settingTypes.ts'
import { version } from './version.ts'

export interface ProgramHost {
  readonly output: Output
  readonly env: Environment
  /** Path of `.env`; it need not be there. */
  readonly envFile: string
  readonly isTerminal: boolean
}

/** Parses the arguments, runs the command and gives the exit code. Never throws; what went wrong is on `err`. */
export async function runProgram(argv: readonly string[], host: ProgramHost): Promise<number> {
  let exitCode = exitOk
  const program = buildProgram(await describe(namedIn(argv)), host, (code) => {
    exitCode = code
  })
  try {
    await program.parseAsync(argv, { from: 'user' })
    return exitCode
  } catch (error) {
    return report(error, host.output)
  }
}

function report(error: unknown, output: Output): number {
  if (error instanceof CommanderError) {
    // Help and version were asked for; anything else is wrong usage and is already on stderr.
    return error.exitCode === 0 ? exitOk : exitUsage
  }
  if (error instanceof UsageError || error instanceof ConfigurationError) {
    // What stands behind an empty line is there to be copied as it is.
    output.err(`error: ${error.message.includes('\n\n') ? error.message : oneLine(error.message)}`)
    return exitUsage
  }
  output.err(describeFailure(error))
  return exitFailure
}

/** The commands that are called so, or are of the group that is: all of them where none is. */
function namedIn(argv: readonly string[]): readonly CommandName[] {
  const [first, second] = argv.filter((word) => !word.startsWith('-'))
  const word = first === 'help' ? second : first
  const named = commandNames.filter((name) => name.split(' ')[0] === word)
  return named.length === 0 ? commandNames : named
}

/** Only these commands, because to describe all settings of all commands takes as long as some commands do. */
function buildProgram(
  described: ReadonlyMap<CommandName, CommandDescription>,
  host: ProgramHost,
  setExitCode: (code: number) => void,
): Command {
  const program = prepare(new Command('millrace'), host)
    .description(
      'Stream processing for TypeScript: topics in, exact results out, every record counted once. And a market-data platform made of it.',
    )
    .version(version(), '-v, --version')
    .addHelpText(
      'after',
      `\n${examplesOf(['millrace new my-app', 'millrace run ./paid.ts', 'millrace run realtime', 'millrace candles --symbol BTCUSDT'])}`,
    )
  const groups = new Map<string, Command>()
  for (const [name, description] of described) {
    const [first = '', second] = name.split(' ')
    if (second === undefined) {
      groups.set(first, addCommand(program, first, name, description, host, setExitCode))
      continue
    }
    let group = groups.get(first)
    if (group === undefined) {
      group = prepare(program.command(first), host).description(commandGroups[first] ?? '')
      groups.set(first, group)
    }
    addCommand(group, second, name, description, host, setExitCode)
  }
  return program
}

function addCommand(
  parent: Command,
  word: string,
  name: CommandName,
  description: CommandDescription,
  host: ProgramHost,
  setExitCode: (code: number) => void,
): Command {
  const command = prepare(parent.command(word), host).description(description.description)
  for (const argument of description.args ?? []) command.argument(argument.name, argument.description)
  for (const settingName of settingsOf(name)) {
    const setting: Setting = settings[settingName]
    if (setting.flag !== null) command.addOption(new Option(setting.flag, helpOf(setting, name)))
  }
  command.addHelpText('after', `\n${examplesOf(description.examples)}`)
  command.action(async () => {
    setExitCode(await runCommand(name, description, command, host))
  })
  return command
}

async function runCommand(
  name: CommandName,
  description: CommandDescription,
  command: Command,
  host: ProgramHost,
): Promise<number> {
  const envFile = readEnvFile(host.envFile)
  const resolved = resolveSettings({ command: name, flags: flagsOf(name, command), env: host.env, envFile })
  for (const warning of resolved.warnings) host.output.err(warning)
  const run = await description.load()
  const place = { settings: resolved.values, origins: resolved.origins }
  const isJsonLog = loggingCommands.includes(name) && resolved.values.logFormat === 'json'
  const env = { ...envFile, ...host.env }
  const logged = await outputOf(name, host, resolved.values, env)
  const output = { ...logged, err: (line: string) => logged.err(pasteable(line, place)) }
  const takeBack = loggingCommands.includes(name) ? await noteRunning(resolved.values.dataDir, name) : () => undefined
  try {
    return await run({
      ...place,
      args: command.args,
      output,
      env,
      // A live screen is no log.
      isTerminal: host.isTerminal && !isJsonLog,
    })
  } catch (error) {
    return report(error, output)
  } finally {
    takeBack()
  }
}

/** So that `millrace stop` finds what may run until somebody stops it. Imported here because most commands have no use for it. */
async function noteRunning(dataDir: string, name: CommandName): Promise<() => void> {
  return (await import('../host/commandNotes.ts')).noteCommand(dataDir, name)
}

/** What the command prints to: without secrets in what is for people, and as a log where it runs for long. */
async function outputOf(
  name: CommandName,
  { output }: ProgramHost,
  values: SettingValues,
  env: Environment,
): Promise<Output> {
  const secrets = secretTexts(values, env, await namedInAlerts(values.alertsFile ?? env[settings.alertsFile.env]))
  if (!loggingCommands.includes(name)) return { ...output, err: (line) => output.err(masked(line, secrets)) }
  const { logFormat: format, logLevel: level } = values
  const log = logOutput(output, { format, level, secrets, now: () => systemClock.now() })
  // Node prints them by itself, as they are, between the lines of a log.
  process.removeAllListeners('warning')
  process.on('warning', ({ name, message, code }: Error & { readonly code?: string }) =>
    log.err(`warning: ${code === undefined ? name : code}: ${message}`),
  )
  return log
}

/** The variables that channels of alerts take their addresses and headers from; none of a file that cannot be read, which is told by whoever needs it. */
async function namedInAlerts(alertsFile: string | undefined): Promise<readonly string[]> {
  if (alertsFile === undefined) return []
  const { readAlertsFile } = await import('./alerts/alertsFile.ts')
  try {
    const { file } = readAlertsFile(alertsFile)
    return file.channels.flatMap(({ urlFrom, headersFrom = {} }) => [
      ...(urlFrom === undefined ? [] : [urlFrom]),
      ...Object.values(headersFrom),
    ])
  } catch (error) {
    if (error instanceof ConfigurationError) return []
    throw error
  }
}

/** The flags that were given, as text; of one that takes several values, one a line. Commander's `--no-x` gives `x: false`. */
function flagsOf(name: CommandName, command: Command): Partial<Record<SettingName, string>> {
  const flags: Partial<Record<SettingName, string>> = {}
  for (const settingName of settingsOf(name)) {
    const setting: Setting = settings[settingName]
    if (setting.flag === null) continue
    const attribute = new Option(setting.flag).attributeName()
    if (command.getOptionValueSource(attribute) !== 'cli') continue
    const value: unknown = command.getOptionValue(attribute)
    flags[settingName] = Array.isArray(value) ? value.join('\n') : String(value)
  }
  return flags
}

function prepare(command: Command, host: ProgramHost): Command {
  return (
    command
      .exitOverride()
      .helpCommand(false)
      .allowExcessArguments(false)
      // An option behind `run realtime` is that command's, although `run` takes it too.
      .enablePositionalOptions()
      .configureOutput({
        writeOut: (text) => void host.output.out(text),
        writeErr: (text) => host.output.err(text.trimEnd()),
        outputError: (text, write) => write(withAllowed(command, oneLine(text))),
      })
  )
}

/** An unknown command without one that is nearly it: the ones there are say more than nothing. */
function withAllowed(command: Command, text: string): string {
  if (!text.startsWith('error: unknown command') || text.includes('Did you mean')) return text
  return `${text}; allowed: ${command.commands.map((one) => one.name()).join(', ')}`
}

function helpOf(setting: Setting, command: CommandName): string {
  const { allowed = setting.allowed, description = setting.description } = setting.narrower?.[command] ?? {}
  const notes = [
    setting.flag?.includes('<') === true ? allowed : null,
    setting.default === null || setting.default === 'false' ? null : `default: ${setting.default}`,
    setting.env === null ? null : `env: ${setting.env}`,
  ].filter((note) => note !== null)
  return notes.length === 0 ? description : `${description} (${notes.join('; ')})`
}

function examplesOf(examples: readonly string[]): string {
  return `Examples:\n${examples.map((example) => `  $ ${example}`).join('\n')}`
}
