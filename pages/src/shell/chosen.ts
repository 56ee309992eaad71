import { computed, effect } from '@preact/signals'
import type { DataSet } from '../../../src/web/protocol.ts'
import { dataSets } from './live.ts'
import { place } from './router.ts'

/** The data set that the address names, or the first that has candles, or the first. */
export const chosenSet = computed<DataSet | null>(() => {
  const all = (dataSets.value ?? []).filter(({ problem }) => problem === null)
  const { page, parts, query } = place.value
  const named = page === 'market' ? parts[0] : query.get('set')
  return all.find(({ schema }) => schema === named) ?? all.find(({ hasCandles }) => hasCandles) ?? all[0] ?? null
})

const titles = { market: 'Market', pipeline: 'Pipeline', data: 'Data', alerts: 'Alerts', api: 'API' } as const

effect(() => {
  const { page, parts } = place.value
  const subject = page === 'market' && parts[2] !== undefined ? parts[2] : titles[page]
  document.title = `${chosenSet.value?.isSimulated === true ? 'SIM · ' : ''}${subject} · Millrace`
})
