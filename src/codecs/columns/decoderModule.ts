import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { ConfigurationError } from '../../runtime/errors.ts'

/** What is used of WebAssembly, which no type of Node declares, and which a Node without its compiler (`--jitless`) does not have. */
interface WebAssemblyHost {
  validate(bytes: Uint8Array): boolean
  readonly Module: (new (
    bytes: Uint8Array,
  ) => object) & {
    customSections(module: object, name: string): readonly ArrayBuffer[]
  }
  readonly Instance: new (module: object, imports: object) => { readonly exports: unknown }
  readonly Memory: new (size: { readonly initial: number }) => { readonly buffer: ArrayBuffer }
}

interface Cell {
  value: number
}

/** What `assembly/columns.ts` exports. */
export interface Decoder {
  readonly starts: Cell
  readonly lengths: Cell
  readonly shift: Cell
  readonly inputStart: Cell
  readonly inputEnd: Cell
  readonly layouts: Cell
  readonly program: Cell
  readonly layoutCount: Cell
  readonly closers: Cell
  readonly oddNumbers: Cell
  readonly otherTexts: Cell
  readonly textEnds: Cell
  readonly resolved: Cell
  readonly resolvedEnd: Cell
  prepare(): void
  decode(from: number, to: number): number
}

const pageBytes = 65_536
const host = (globalThis as { readonly WebAssembly?: WebAssemblyHost }).WebAssembly
const file = new URL('columns.wasm', import.meta.url)
const source = new URL('../../../assembly/columns.ts', import.meta.url)
let compiled: object | null | undefined

/**
 * A decoder with a memory of its own that holds so many bytes and never grows; null where there is no WebAssembly, none with vectors, no room for the memory, or its file is not beside this one, as
 * after a bundler.
 * Throws ConfigurationError where the file was made of another source than the one that lies in the checkout.
 */
export function openDecoder(bytes: number): { readonly decoder: Decoder; readonly memory: ArrayBuffer } | null {
  if (host === undefined) return null
  if (compiled === undefined) compiled = compile(host)
  if (compiled === null) return null
  const memory = memoryOf(host, bytes)
  if (memory === null) return null
  const { exports } = new host.Instance(compiled, { env: { memory } })
  return { decoder: exports as Decoder, memory: memory.buffer }
}

/** Each takes ten gigabytes of addresses, of which a process may not have so many (`ulimit -v`). */
function memoryOf({ Memory }: WebAssemblyHost, bytes: number): { readonly buffer: ArrayBuffer } | null {
  try {
    return new Memory({ initial: Math.ceil(bytes / pageBytes) })
  } catch (error) {
    if (error instanceof RangeError) return null
    throw error
  }
}

function compile({ validate, Module }: WebAssemblyHost): object | null {
  const bytes = contents(file)
  // A processor without vectors of sixteen bytes takes no module with them.
  if (bytes === null || !validate(bytes)) return null
  const module = new Module(bytes)
  const text = contents(source)
  const [madeOf] = Module.customSections(module, 'source')
  if (text === null || madeOf === undefined || Buffer.from(madeOf).equals(createHash('sha256').update(text).digest())) {
    return module
  }
  throw new ConfigurationError(
    'The decoder in WebAssembly was made of another state of assembly/columns.ts. Make it again: npm run build',
  )
}

function contents(url: URL): Buffer | null {
  try {
    return readFileSync(url)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw error
  }
}
