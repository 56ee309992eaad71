import { useState } from 'preact/hooks'
import { connect, isTokenWanted } from './live.ts'

export function TokenForm() {
  const [problem, setProblem] = useState<string | null>(null)
  const submit = async (event: SubmitEvent) => {
    event.preventDefault()
    const token = new FormData(event.currentTarget as HTMLFormElement).get('token')
    const response = await fetch('./api/session', {
      method: 'POST',
      credentials: 'same-origin',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ token }),
    }).catch(() => null)
    if (response?.ok === true) {
      isTokenWanted.value = false
      connect()
      return
    }
    setProblem(response?.status === 403 ? 'This is not the token of this console.' : 'The console does not answer.')
  }
  return (
    <main class="token">
      <form onSubmit={submit}>
        <h1>Millrace</h1>
        <p>
          This console asks for its token: <code>MILLRACE_CONSOLE_TOKEN</code> where it runs.
        </p>
        <label for="token">Token</label>
        <input id="token" name="token" type="password" autocomplete="current-password" required />
        {problem === null ? null : (
          <p role="alert" class="banner bad">
            {problem}
          </p>
        )}
        <button type="submit" class="button primary">
          Open
        </button>
      </form>
    </main>
  )
}
