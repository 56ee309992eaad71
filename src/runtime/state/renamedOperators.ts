import { ConfigurationError, StateMismatchError } from '../errors.ts'
import type { PipelineOptions } from '../pipeline/pipeline.ts'
import type { OwnState } from './ownState.ts'
import type { SavedOperator } from './savedState.ts'

type Names = Pick<PipelineOptions, 'name' | 'renamed' | 'retired'>

/**
 * Refuses renamings that would mean something else at the second start than at the first, when the state has its new name already.
 * @throws ConfigurationError that says which
 */
export function checkRenamed({ name: pipeline, renamed = {}, retired = [] }: Names): void {
  const targets = new Set<string>()
  for (const [before, now] of Object.entries(renamed)) {
    const what = `pipeline ${pipeline}: renamed says ${JSON.stringify(before)} is now ${JSON.stringify(now)}`
    if (now === '') throw new ConfigurationError(`${what}; an operator has a name of at least one letter`)
    if (Object.hasOwn(renamed, now)) {
      throw new ConfigurationError(`${what}, which is renamed as well; give each old name the name that it has today`)
    }
    if (targets.has(now)) throw new ConfigurationError(`${what}, and so is another; one operator has one state`)
    if (retired.includes(before)) {
      throw new ConfigurationError(`${what}, and retired says it is gone; take it out of one of the two`)
    }
    targets.add(now)
  }
}

/** The name that the operator has today. */
export function nameToday(name: string, { renamed }: Pick<PipelineOptions, 'renamed'>): string {
  return renamed !== undefined && Object.hasOwn(renamed, name) ? (renamed[name] as string) : name
}

/**
 * What was saved, by the names of today, and whether any had another one. Where state is there under the new name too, the operator that had that name
 * before must be retired, and its state goes.
 * @throws StateMismatchError where it is not: one of the two would be lost without a word
 */
export function renameSaved(
  saved: ReadonlyMap<string, SavedOperator>,
  { name: pipeline, renamed = {}, retired = [] }: Names,
): { readonly saved: Map<string, SavedOperator>; readonly isChanged: boolean } {
  const result = new Map(saved)
  let isChanged = false
  for (const [before, now] of Object.entries(renamed)) {
    const operator = result.get(before)
    if (operator === undefined) continue
    if (result.has(now) && !retired.includes(now)) {
      throw new StateMismatchError(
        `pipeline ${pipeline}: ${JSON.stringify(before)} is renamed to ${JSON.stringify(now)}, but both have saved state. ` +
          `Give the operator a name that no other has had, or add ${JSON.stringify(now)} to the pipeline's "retired" list to drop the state under the new name.`,
        { pipeline },
      )
    }
    result.delete(before)
    result.set(now, operator)
    isChanged = true
  }
  return { saved: result, isChanged }
}

/** What the task itself keeps by the names of operators, by those of today. */
export function renameOwn(own: OwnState, names: Pick<PipelineOptions, 'renamed'>): OwnState {
  const today = <T>(byName: ReadonlyMap<string, T>) =>
    new Map([...byName].map(([name, value]) => [nameToday(name, names), value] as const))
  return { ...own, ordinals: today(own.ordinals), clocks: today(own.clocks) }
}
