import { chosenSet } from './chosen.ts'
import { plain } from './format.ts'
import { dataSets } from './live.ts'
import { hrefOf, type PageName } from './router.ts'

/** Which data set a page is about, where there are several; Market has those with candles. */
export function SetPicker({ page }: { readonly page: PageName }) {
  const all = (dataSets.value ?? []).filter(
    (one) => one.problem === null && (page !== 'market' || one.hasCandles || one === chosenSet.value),
  )
  if (all.length < 2) return null
  return (
    <nav class="tabs" aria-label="Data sets">
      {all.map(({ schema, name }) => (
        <a
          key={schema}
          href={page === 'market' ? hrefOf(page, [schema]) : hrefOf(page, [], { set: schema })}
          aria-current={chosenSet.value?.schema === schema ? 'page' : undefined}
        >
          {plain(name)}
        </a>
      ))}
    </nav>
  )
}
