import { render } from 'preact'
import { App } from './shell/app.tsx'
import './shell/choices.ts'
import { connect } from './shell/live.ts'

const root = document.getElementById('app')
if (root !== null) {
  root.replaceChildren()
  render(<App />, root)
  connect()
}
