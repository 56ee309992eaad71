import { isHelpOpen } from './help.tsx'
import { go, hrefOf, type PageName } from './router.ts'

const pagesByKey: Readonly<Record<string, PageName>> = { m: 'market', p: 'pipeline', d: 'data', a: 'alerts', r: 'api' }
const patienceMs = 1_200

/** Keys of a page, in place of those of the page before. */
export type PageKeys = (event: KeyboardEvent) => boolean

let ofPage: PageKeys = () => false

export function usePageKeys(keys: PageKeys): () => void {
  ofPage = keys
  return () => {
    if (ofPage === keys) ofPage = () => false
  }
}

/** Listens until the function that it gives is called. */
export function listenToKeys(): () => void {
  let goAt = Number.NEGATIVE_INFINITY
  const hear = (event: KeyboardEvent) => {
    if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event)) return
    // The list tells of its end a moment after it has gone.
    if (document.querySelector('dialog[open]') !== null) return
    const isSecond = performance.now() - goAt < patienceMs
    goAt = Number.NEGATIVE_INFINITY
    const page = pagesByKey[event.key]
    if (isSecond && page !== undefined) go(hrefOf(page))
    else if (event.key === 'g') goAt = performance.now()
    else if (event.key === '?') isHelpOpen.value = true
    else if (event.key === '/') {
      const field = document.querySelector<HTMLInputElement>('[data-search]')
      if (field === null) return
      field.focus()
      field.select()
    } else if (!ofPage(event)) return
    event.preventDefault()
  }
  addEventListener('keydown', hear)
  return () => removeEventListener('keydown', hear)
}

function isTyping({ target }: KeyboardEvent): boolean {
  return (
    target instanceof HTMLElement &&
    (target.isContentEditable || ['INPUT', 'TEXTAREA', 'SELECT'].includes(target.tagName))
  )
}
