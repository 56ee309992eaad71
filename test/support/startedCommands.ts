import { afterEach } from 'vitest'
import { type CommandPlace, type RunningCommand, startCommand } from './commandLine.ts'

/** `startCommand` for the tests of a file, or of a `describe`: one that fails does not leave its processes behind. */
export function startedCommands(): typeof startCommand {
  const started: RunningCommand[] = []
  afterEach(async () => {
    for (const command of started.splice(0)) {
      command.process.kill('SIGKILL')
      await command.ended
    }
  })
  return (args: readonly string[], place: CommandPlace) => {
    const command = startCommand(args, place)
    started.push(command)
    return command
  }
}
