import { editDistance, suggest } from '../runtime/suggest.ts'

const ours = 'MILLRACE_'
const shared = 'KAFKA_'

/**
 * One line for each variable that nobody reads and that was most likely meant for this program: all that begin with `MILLRACE_`, and of those that begin
 * with `KAFKA_`, where brokers and other tools have theirs, only what is nearly the name of a setting.
 */
export function unknownVariables(variables: readonly string[], known: readonly string[]): readonly string[] {
  return [...new Set(variables)]
    .filter((variable) => !known.includes(variable))
    .sort()
    .flatMap((variable) => {
      const upper = variable.toUpperCase()
      if (upper.startsWith(ours)) return warning(variable, suggest(variable, known))
      const meant = upper.startsWith(shared) ? nearlyKnown(upper, known) : null
      return meant === null ? [] : warning(variable, ` (did you mean ${meant}?)`)
    })
}

function warning(variable: string, hint: string): readonly string[] {
  return [`warning: ${variable} is not a setting and is ignored${hint}.`]
}

/** The setting that the name is a slip of the hand away from, or the only one that it is the beginning of. */
function nearlyKnown(variable: string, known: readonly string[]): string | null {
  const tail = variable.length - shared.length
  const names = known.filter((name) => name.startsWith(shared))
  const [nearest] = names
    .map((name) => ({ name, distance: editDistance(variable, name) }))
    .sort((a, b) => a.distance - b.distance)
  // A letter more or less makes another word of a short one: KAFKA_SASL and KAFKA_ACL are no KAFKA_SSL.
  const allowed = tail <= 4 ? 0 : Math.min(2, Math.floor(tail / 3))
  if (nearest !== undefined && nearest.distance <= allowed) return nearest.name
  const longer = names.filter((name) => name.startsWith(variable))
  return tail >= 4 && longer.length === 1 ? (longer[0] ?? null) : null
}
