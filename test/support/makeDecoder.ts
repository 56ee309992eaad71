import { buildDecoder } from '../../scripts/buildDecoder.ts'

/** Before the tests: what they import from src has its decoder beside it. */
export function setup(): void {
  buildDecoder()
}
