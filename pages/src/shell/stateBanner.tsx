import { computed } from '@preact/signals'
import { chosenSet } from './chosen.ts'
import { plain, shortAge } from './format.ts'
import { connection, dataSets, refused, serverNow, serverWaits } from './live.ts'

/** Invented prices are said to be so on every page that shows them, and in the title. */
const isSimulated = computed(() => chosenSet.value?.isSimulated === true)

export function Caution() {
  if (!isSimulated.value) return null
  return (
    <section class="caution" aria-label="Caution">
      <strong>SIMULATED PRICES</strong> <span>invented by a random generator, not a market</span>
    </section>
  )
}

export function StateBanner() {
  const { value } = connection
  const waits = serverWaits.value
  const problems = (dataSets.value ?? []).flatMap(({ problem }) => problem ?? [])
  return (
    <section class="banners" aria-live="polite" aria-label="State">
      {value.state === 'reconnecting' ? (
        <p class="banner bad">
          The console does not answer. What is shown is{' '}
          {value.ageMs === null ? 'nothing yet' : `${shortAge(value.ageMs)} old`}; this page goes on by itself once it
          is there again.
        </p>
      ) : null}
      {value.state === 'stale' ? (
        <p class="banner warn">Nothing was heard for {shortAge(value.ageMs)}: what is shown is that old.</p>
      ) : null}
      {value.state !== 'reconnecting' && waits !== null ? (
        <p class="banner warn">
          The console waits for its database, {shortAge(serverNow.value - waits.since)}: {plain(waits.what)}
        </p>
      ) : null}
      {problems.map((problem) => (
        <p key={problem} class="banner warn">
          {plain(problem)}
        </p>
      ))}
      {refused.value === null ? null : (
        <p class="banner warn">
          {plain(refused.value)}{' '}
          <button type="button" class="link" onClick={() => (refused.value = null)}>
            Dismiss
          </button>
        </p>
      )}
    </section>
  )
}
