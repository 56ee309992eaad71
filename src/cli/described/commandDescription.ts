import type { CommandRun } from '../commandContext.ts'
import type { CommandFamily, commandFamilies } from '../settingTypes.ts'

export interface CommandDescription {
  readonly description: string
  readonly args?: readonly { readonly name: string; readonly description: string }[]
  readonly examples: readonly string[]
  /** Imports the command when it is asked for, so that `--help` does not wait for a database driver. */
  readonly load: () => Promise<CommandRun>
}

/** Every command of a family, and no other. */
export type Described<F extends CommandFamily> = Readonly<
  Record<(typeof commandFamilies)[F][number], CommandDescription>
>
