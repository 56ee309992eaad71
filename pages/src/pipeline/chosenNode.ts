import { signal } from '@preact/signals'

/** Which part of the graph somebody looks at; null for none. */
export const chosenNode = signal<string | null>(null)
