import { buildAssembly } from '../../scripts/buildAssembly.ts'

/** Before the tests: what they import from src has its WebAssembly beside it. Where the compiler is not installed yet, only the tests of that fail. */
export function setup(): void {
  try {
    buildAssembly()
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'MODULE_NOT_FOUND') throw error
    console.warn('The tests run without WebAssembly, whose compiler is not installed: npm ci')
  }
}
