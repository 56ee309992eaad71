import { signal } from '@preact/signals'
import { useEffect, useRef } from 'preact/hooks'

export const isHelpOpen = signal(false)

const keys: readonly (readonly [string, string])[] = [
  ['g m', 'Market'],
  ['g p', 'Pipeline'],
  ['g d', 'Data'],
  ['g a', 'Alerts'],
  ['g r', 'API'],
  ['/', 'Search a symbol'],
  ['1 – 6', 'Interval: 1m, 5m, 15m, 1h, 4h, 1d'],
  ['← →', 'Move the crosshair; its values are said'],
  ['t', 'Chart or table'],
  ['?', 'This list'],
]

export function Help() {
  const dialog = useRef<HTMLDialogElement>(null)
  useEffect(() => {
    if (isHelpOpen.value && dialog.current?.open === false) dialog.current.showModal()
  }, [isHelpOpen.value])
  return (
    <dialog ref={dialog} class="help" aria-labelledby="help-title" onClose={() => (isHelpOpen.value = false)}>
      <h2 id="help-title">Keys</h2>
      <dl>
        {keys.map(([key, what]) => (
          <div key={key}>
            <dt>
              <kbd>{key}</kbd>
            </dt>
            <dd>{what}</dd>
          </div>
        ))}
      </dl>
      <button type="button" class="button" onClick={() => dialog.current?.close()}>
        Close
      </button>
    </dialog>
  )
}
