import { useState } from 'preact/hooks'
import { bytesText } from '../../../src/console/text.ts'
import type { AnswerOf } from '../../../src/web/routes.ts'
import { get } from '../shell/api.ts'
import { useAsked } from '../shell/asked.ts'
import { zone } from '../shell/choices.ts'
import { plain, timeText } from '../shell/format.ts'

type Bytes = AnswerOf<'api/dead-letters/bytes'>

const moreBytes = 65_536

/** One letter: what was said of it, and the beginning of its bytes. The rest comes when somebody asks for it. */
export function Letter({ schema, id }: { readonly schema: string; readonly id: string }) {
  const letter = useAsked(id, (signal) => get('api/dead-letters/letter', { schema, id }, signal), null)
  if (letter.value === null) return <p class="dim">{letter.state === 'failed' ? plain(letter.why) : 'Loading…'}</p>
  const { reason, detail, operator, recordTime, key, headers, payload, cut } = letter.value
  return (
    <article class="letter" data-letter-shown={id} aria-label={`Dead letter ${id}`}>
      <dl class="facts">
        <div>
          <dt>Id</dt>
          <dd>
            <code>{plain(id)}</code>
          </dd>
        </div>
        <div>
          <dt>Reason</dt>
          <dd>
            {plain(reason)}: {plain(detail)}
          </dd>
        </div>
        <div>
          <dt>Set aside by</dt>
          <dd>{plain(operator)}</dd>
        </div>
        <div>
          <dt>Record time</dt>
          <dd>{recordTime === null ? '–' : `${timeText(recordTime, zone.value)} ${zone.value}`}</dd>
        </div>
        <div>
          <dt>Key</dt>
          <dd>{key === null ? '–' : plain(shown(key))}</dd>
        </div>
        {headers.map(({ key: name, value }) => (
          <div key={name}>
            <dt>{plain(name)}</dt>
            <dd>{value === null ? '–' : plain(shown(value))}</dd>
          </div>
        ))}
      </dl>
      {cut.length === 0 ? null : (
        <p class="banner busy">The letter keeps only the beginning of {cut.join(', ')}; the rest is in the log.</p>
      )}
      {payload === null ? <p class="dim">It has no payload.</p> : <Payload schema={schema} id={id} first={payload} />}
    </article>
  )
}

function Payload({ schema, id, first }: { readonly schema: string; readonly id: string; readonly first: Bytes }) {
  const [parts, setParts] = useState<readonly Bytes[]>([first])
  const [isHex, setHex] = useState(first.text === null)
  const [problem, setProblem] = useState<string | null>(null)
  const read = parts.reduce((sum, part) => sum + lengthOf(part), 0)
  const more = async () => {
    try {
      const part = await get('api/dead-letters/bytes', { schema, id, from: read, count: moreBytes })
      setParts([...parts, part])
    } catch (error) {
      setProblem(error instanceof Error ? error.message : String(error))
    }
  }
  return (
    <section aria-label="Payload">
      <div class="toolbar">
        <span>
          Payload, {bytesText(read)} of {bytesText(first.total)}
        </span>
        <button type="button" aria-pressed={isHex} onClick={() => setHex(!isHex)}>
          bytes
        </button>
        {read < first.total ? (
          <button type="button" onClick={more}>
            {bytesText(Math.min(moreBytes, first.total - read))} more
          </button>
        ) : null}
      </div>
      {problem === null ? null : <p class="banner warn">{plain(problem)}</p>}
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls has to be reached by keys. */}
      <pre class="payload" tabIndex={0}>
        {parts.map((part) => (isHex ? hexOf(part) : (part.text ?? hexOf(part)))).join('')}
      </pre>
    </section>
  )
}

function shown(bytes: Bytes): string {
  const text = bytes.text ?? hexOf(bytes)
  return lengthOf(bytes) < bytes.total ? `${text}… (${bytesText(bytes.total)})` : text
}

/** Of what base64 text holds. */
function lengthOf({ base64 }: Bytes): number {
  return (base64.length / 4) * 3 - (base64.endsWith('==') ? 2 : base64.endsWith('=') ? 1 : 0)
}

function hexOf({ base64, from }: Bytes): string {
  const bytes = atob(base64)
  const lines: string[] = []
  for (let at = 0; at < bytes.length; at += 16) {
    const line = [...bytes.slice(at, at + 16)]
    const hex = line.map((one) => one.charCodeAt(0).toString(16).padStart(2, '0')).join(' ')
    const text = line.map((one) => (one >= ' ' && one <= '~' ? one : '.')).join('')
    lines.push(`${(from + at).toString(16).padStart(8, '0')}  ${hex.padEnd(47)}  ${text}\n`)
  }
  return lines.join('')
}
