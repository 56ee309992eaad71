import { existsSync } from 'node:fs'
import { relative, resolve } from 'node:path'
import type { CommandContext } from '../commandContext.ts'
import { exitOk } from '../exit.ts'
import { makeProject } from '../newProject.ts'
import { version } from '../version.ts'

/** Makes a project with a pipeline, its feed, its table and its test, and says what to type next. */
export async function newProject({ settings, args, output }: CommandContext): Promise<number> {
  const [directory = ''] = args
  const name = makeProject(directory, dependencyOn(settings.packageSpec))
  const folder = relative('.', resolve(directory))
  await output.out(
    [
      `${name} is made: a pipeline, its feed, its table and its test.`,
      '',
      ...(folder === '' ? [] : [`  cd ${folder}`]),
      '  npm install',
      '  npm test',
      '  npm run ingest                           # orders into a topic',
      '  npm start -- --until-end --close-open    # sales of each product in each minute',
      '  npm run rows                             # what came out',
      '',
      'README.md says what is where, and how to go on to Kafka and a PostgreSQL of your own.\n',
    ].join('\n'),
  )
  return exitOk
}

/** A file or a folder is found from the project as well; anything else means what it means to npm. */
function dependencyOn(spec: string | undefined): string {
  if (spec === undefined) return `^${version()}`
  return existsSync(spec) ? `file:${resolve(spec)}` : spec
}
