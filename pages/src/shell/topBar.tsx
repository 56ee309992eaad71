import { theme, themeChoice } from './choices.ts'
import { shortAge } from './format.ts'
import { connection, pipelines } from './live.ts'
import { hrefOf, type PageName, place } from './router.ts'

const links: readonly (readonly [PageName, string])[] = [
  ['market', 'Market'],
  ['pipeline', 'Pipeline'],
  ['data', 'Data'],
  ['alerts', 'Alerts'],
  ['api', 'API'],
]

export function TopBar() {
  const { page } = place.value
  const isBad = pipelines.value?.some(({ verdict }) => verdict.level === 'bad') === true
  return (
    <header class="bar">
      <a class="brand" href={hrefOf('market')}>
        <img src="./icon.svg" alt="" width="22" height="22" />
        <span>Millrace</span>
      </a>
      <nav aria-label="Pages">
        {links.map(([name, text]) => (
          <a key={name} href={hrefOf(name)} aria-current={page === name ? 'page' : undefined}>
            {text}
            {name === 'pipeline' && isBad ? (
              <span class="dot bad" role="img" aria-label="something is wrong">
                !
              </span>
            ) : null}
          </a>
        ))}
      </nav>
      <ConnectionChip />
      <button
        type="button"
        class="icon-button"
        aria-label={theme.value === 'dark' ? 'Light theme' : 'Dark theme'}
        onClick={() => {
          themeChoice.value = theme.value === 'dark' ? 'light' : 'dark'
        }}
      >
        {theme.value === 'dark' ? '☀' : '☾'}
      </button>
    </header>
  )
}

function ConnectionChip() {
  const { value } = connection
  switch (value.state) {
    case 'connecting':
      return <Chip level="busy" mark="◌" text="connecting" />
    case 'live':
      return <Chip level="good" mark="●" text="live" />
    case 'stale':
      return <Chip level="warn" mark="▲" text={`stale, ${shortAge(value.ageMs)} old`} />
    case 'reconnecting':
      return (
        <Chip
          level="bad"
          mark="✕"
          text={`reconnecting, attempt ${value.attempt}${value.inMs > 0 ? ` in ${Math.ceil(value.inMs / 1_000)} s` : ''}`}
        />
      )
  }
}

function Chip({ level, mark, text }: { readonly level: string; readonly mark: string; readonly text: string }) {
  return (
    <span class={`chip ${level}`} data-connection={level}>
      <span aria-hidden="true">{mark}</span> {text}
    </span>
  )
}
