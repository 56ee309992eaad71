import { effect } from '@preact/signals'
import type { Zone } from './format.ts'
import { kept } from './kept.ts'

const prefersLight = matchMedia('(prefers-color-scheme: light)')

export const theme = kept<'dark' | 'light'>('theme', prefersLight.matches ? 'light' : 'dark', ['dark', 'light'])
export const zone = kept<Zone>('zone', 'UTC', ['UTC', 'local'])

effect(() => {
  document.documentElement.dataset.theme = theme.value
})
