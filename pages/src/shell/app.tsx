import { effect, signal } from '@preact/signals'
import type { ComponentType } from 'preact'
import { useEffect } from 'preact/hooks'
import { PipelinePage } from '../pipeline/pipelinePage.tsx'
import { Help, isHelpOpen } from './help.tsx'
import { listenToKeys } from './keys.ts'
import { isStale, isTokenWanted } from './live.ts'
import { place } from './router.ts'
import { Caution, StateBanner } from './stateBanner.tsx'
import { TokenForm } from './tokenForm.tsx'
import { TopBar } from './topBar.tsx'

type Loaded = ComponentType | 'loading' | 'failed'

/** Pages that are not the first thing that people look at come when they are asked for. */
const later = {
  market: () => import('../market/marketPage.tsx').then(({ MarketPage }) => MarketPage),
  data: () => import('../data/dataPage.tsx').then(({ DataPage }) => DataPage),
  alerts: () => import('../alerts/alertsPage.tsx').then(({ AlertsPage }) => AlertsPage),
  api: () => import('../reference/apiPage.tsx').then(({ ApiPage }) => ApiPage),
} as const

const loaded = signal<Readonly<Partial<Record<keyof typeof later, Loaded>>>>({})

effect(() => {
  const { page } = place.value
  if (page === 'pipeline' || loaded.peek()[page] !== undefined) return
  loaded.value = { ...loaded.peek(), [page]: 'loading' }
  later[page]().then(
    (component) => {
      loaded.value = { ...loaded.peek(), [page]: component }
    },
    () => {
      loaded.value = { ...loaded.peek(), [page]: 'failed' }
    },
  )
})

export function App() {
  useEffect(listenToKeys, [])
  if (isTokenWanted.value) return <TokenForm />
  return (
    <div class={`app${isStale.value ? ' is-stale' : ''}`}>
      <button type="button" class="skip" onClick={() => document.getElementById('main')?.focus()}>
        Skip to the content
      </button>
      <Caution />
      <TopBar />
      <StateBanner />
      <main id="main" tabIndex={-1}>
        <Page />
      </main>
      <footer class="foot">
        <span>Millrace console</span>
        <a href="https://www.tradingview.com/" rel="noreferrer noopener" target="_blank">
          Charts by TradingView Lightweight Charts™
        </a>
        <button type="button" class="link" onClick={() => (isHelpOpen.value = true)}>
          Keys: <kbd>?</kbd>
        </button>
      </footer>
      <Help />
    </div>
  )
}

function Page() {
  const { page } = place.value
  if (page === 'pipeline') return <PipelinePage />
  const component = loaded.value[page]
  if (component === undefined || component === 'loading') return <p class="empty">Loading…</p>
  if (component === 'failed') {
    return (
      <div class="empty" role="alert">
        <h1>This page could not be loaded</h1>
        <p>The console was replaced or is away. Load the page again.</p>
        <button type="button" class="button" onClick={() => location.reload()}>
          Load again
        </button>
      </div>
    )
  }
  const Component = component
  return <Component />
}
