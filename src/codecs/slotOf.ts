import type { FieldPlan, SchemaPlan } from './schemaPlan.ts'

/** The slot of a field, by its path (`data.p`). Throws RangeError where there is none. */
export function slotOf(plan: SchemaPlan | null, path: string): number {
  let value: FieldPlan['value'] | undefined = plan?.root
  for (const name of path.split('.')) value = value?.kind === 'object' ? value.fields.get(name)?.value : undefined
  if (value === undefined || value === null || !('slot' in value)) throw new RangeError(`no value at ${path}`)
  return value.slot
}
