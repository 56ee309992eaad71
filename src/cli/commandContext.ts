import type { Output } from './output.ts'
import type { Environment, ResolvedSettings } from './resolveSettings.ts'
import type { SettingValues } from './settings.ts'

/** What a command gets to work with. */
export interface CommandContext {
  readonly settings: SettingValues
  readonly origins: ResolvedSettings['origins']
  /** Positional arguments. */
  readonly args: readonly string[]
  readonly output: Output
  /** The environment with `.env` below it, for the variables of others (`AWS_*`, `CI`). */
  readonly env: Environment
  readonly isTerminal: boolean
}

/** Runs a command and gives the exit code. */
export type CommandRun = (context: CommandContext) => Promise<number>
