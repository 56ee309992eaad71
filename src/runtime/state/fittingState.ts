import { StateMismatchError } from '../errors.ts'
import type { Json } from '../json.ts'
import type { OperatorSpec } from '../operator/operator.ts'
import type { SavedOperator } from './savedState.ts'

/** Whether what was saved is of the operator's layout and options. */
export function fits(spec: OperatorSpec, saved: SavedOperator): boolean {
  return saved.version === (spec.version ?? 1) && canonical(saved.shape) === canonical(spec.shape ?? null)
}

/**
 * What the operator makes of what was saved in another layout, or with other options.
 * @throws StateMismatchError where it makes nothing of it, or a newer release has saved it
 */
export function migrated(spec: OperatorSpec, saved: SavedOperator): SavedOperator {
  const version = spec.version ?? 1
  if (saved.version > version) {
    throw new StateMismatchError(
      `${spec.name}: the saved state has version ${saved.version}, this release writes ${version}. Run the newer release, ` +
        'or start under a new pipeline name, which reads the log from its beginning.',
    )
  }
  const result = spec.migrate?.(saved)
  if (result !== undefined && fits(spec, result)) return result
  throw new StateMismatchError(
    `${spec.name}: the saved state was made with ${canonical(saved.shape)}${layoutOf(saved.version, version)}, and now it is ${canonical(spec.shape ?? null)}${layoutOf(version, saved.version)}. ` +
      'Put it back as it was, give the operator a migrate function that makes the new state of the saved one, or start under a new pipeline name, which reads the log from its beginning.',
  )
}

/** The version of the operator, where that is what differs. */
function layoutOf(version: number, other: number): string {
  return version === other ? '' : ` and version ${version}`
}

function canonical(value: Json): string {
  return JSON.stringify(value, (_key, inner: unknown) =>
    inner !== null && typeof inner === 'object' && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  )
}
