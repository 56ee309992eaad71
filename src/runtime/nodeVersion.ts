const needed = [22, 18] as const

/** What to do about a Node that is too old, or null. */
export function versionProblem(version: string): string | null {
  const [major = 0, minor = 0] = version.split('.').map(Number)
  if (major > needed[0] || (major === needed[0] && minor >= needed[1])) return null
  return (
    `millrace needs Node ${needed.join('.')} or newer and this is Node ${version}: ` +
    'in a clone use `npx millrace …` or `npm run …` (npm ci installs a fitting Node), elsewhere install a current Node ' +
    'from https://nodejs.org, or for one project by `npm install node`, which `npm run …` and `npx …` then use.'
  )
}
