import { computed, effect, signal } from '@preact/signals'
import type { DataSet } from '../../../src/web/protocol.ts'
import { dataSets } from './live.ts'
import { place } from './router.ts'

const named = computed(() => {
  const { page, parts, query } = place.value
  return (page === 'market' ? parts[0] : query.get('set')) ?? null
})

/** Named last: whoever has chosen one on a page goes on with it on the next. */
const namedLast = signal<string | null>(null)

effect(() => {
  if (named.value !== null) namedLast.value = named.value
})

/** The data set that the address names or has named, or the first that has candles, or the first. */
export const chosenSet = computed<DataSet | null>(() => {
  const all = (dataSets.value ?? []).filter(({ problem }) => problem === null)
  const wanted = named.value ?? namedLast.value
  return all.find(({ schema }) => schema === wanted) ?? all.find(({ hasCandles }) => hasCandles) ?? all[0] ?? null
})

const titles = { market: 'Market', pipeline: 'Pipeline', data: 'Data', alerts: 'Alerts', api: 'API' } as const

effect(() => {
  const { page, parts } = place.value
  const subject = page === 'market' && parts[2] !== undefined ? parts[2] : titles[page]
  document.title = `${chosenSet.value?.isSimulated === true ? 'SIM · ' : ''}${subject} · Millrace`
})
