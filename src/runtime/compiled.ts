type Maker<T> = (...values: readonly unknown[]) => T

let mayCompile: boolean | null = null

/**
 * What code that is made at run time gives, so that the compiler sees each use of it by itself; null where no code may be made (`--disallow-code-generation-from-strings`), and then the caller does the
 * same without.
 * @param body of a function with these parameters, of which it must hold nothing that came from outside but as JSON
 */
export function compiled<T>(parameters: readonly string[], values: readonly unknown[], body: string): T | null {
  mayCompile ??= canCompile()
  if (!mayCompile) return null
  return (new Function(...parameters, `'use strict';${body}`) as Maker<T>)(...values)
}

function canCompile(): boolean {
  try {
    new Function('')
    return true
  } catch (error) {
    if (error instanceof EvalError) return false
    throw error
  }
}
