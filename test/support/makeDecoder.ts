import { buildDecoder } from '../../scripts/buildDecoder.ts'

/** Before the tests: what they import from src has its decoder beside it. Where the compiler is not installed yet, only the tests of the decoder fail. */
export function setup(): void {
  try {
    buildDecoder()
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'MODULE_NOT_FOUND') throw error
    console.warn('The tests run without the decoder in WebAssembly, whose compiler is not installed: npm ci')
  }
}
