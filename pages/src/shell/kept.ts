import { effect, type Signal, signal } from '@preact/signals'

/** A choice of the reader that outlives the page; a browser that keeps nothing costs the choice and no more. */
export function kept<T extends string>(name: string, otherwise: T, allowed: readonly T[]): Signal<T> {
  const key = `millrace.${name}`
  let stored: string | null = null
  try {
    stored = localStorage.getItem(key)
  } catch {
    // Forbidden by the browser: the choice lasts as long as the page.
  }
  const choice = signal<T>(allowed.includes(stored as T) ? (stored as T) : otherwise)
  effect(() => {
    try {
      localStorage.setItem(key, choice.value)
    } catch {
      // As above.
    }
  })
  return choice
}
