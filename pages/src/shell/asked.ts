import { useEffect, useState } from 'preact/hooks'

export type Asked<T> =
  | { readonly state: 'waiting'; readonly value: T | null }
  | { readonly state: 'there'; readonly value: T }
  | { readonly state: 'failed'; readonly value: T | null; readonly why: string }

/** What is asked for, again every so many ms while the page is looked at. What was there before stays while it is asked for anew, and where that fails. */
export function useAsked<T>(
  key: string | null,
  ask: (signal: AbortSignal) => Promise<T>,
  everyMs: number | null,
): Asked<T> & { readonly again: () => void } {
  const [asked, setAsked] = useState<Asked<T>>({ state: 'waiting', value: null })
  const [round, setRound] = useState(0)
  useEffect(() => {
    if (key === null) return
    const ended = new AbortController()
    let timer: ReturnType<typeof setTimeout> | undefined
    const look = async () => {
      try {
        const value = document.hidden && round === 0 && everyMs !== null ? null : await ask(ended.signal)
        if (!ended.signal.aborted && value !== null) setAsked({ state: 'there', value })
      } catch (error) {
        if (ended.signal.aborted) return
        const why = error instanceof Error ? error.message : String(error)
        setAsked(({ value }) => ({ state: 'failed', value, why }))
      }
      if (everyMs !== null && !ended.signal.aborted) timer = setTimeout(look, everyMs)
    }
    void look()
    return () => {
      ended.abort()
      clearTimeout(timer)
    }
  }, [key, round])
  return { ...asked, again: () => setRound((one) => one + 1) }
}
