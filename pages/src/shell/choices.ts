import { computed, effect, signal } from '@preact/signals'
import type { Zone } from './format.ts'
import { kept } from './kept.ts'

const prefersLight = matchMedia('(prefers-color-scheme: light)')
const isLight = signal(prefersLight.matches)
prefersLight.addEventListener('change', ({ matches }) => {
  isLight.value = matches
})

/** What the reader has chosen; that of the system until then. */
export const themeChoice = kept<'system' | 'dark' | 'light'>('theme', 'system', ['system', 'dark', 'light'])
export const theme = computed<'dark' | 'light'>(() =>
  themeChoice.value === 'system' ? (isLight.value ? 'light' : 'dark') : themeChoice.value,
)
export const zone = kept<Zone>('zone', 'UTC', ['UTC', 'local'])

effect(() => {
  document.documentElement.dataset.theme = theme.value
})
