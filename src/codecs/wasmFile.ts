import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { ConfigurationError } from '../runtime/errors.ts'
import { codeFolder, packageFolder } from '../runtime/ownPackage.ts'

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

/** A number that a module exports and both sides set. */
export interface WasmCell {
  value: number
}

const pageBytes = 65_536
const host = (globalThis as { readonly WebAssembly?: WebAssemblyHost }).WebAssembly

/** A file that was made of a source in `assembly/`. It is read and compiled once, when it is asked for. */
export class WasmFile {
  readonly #file: URL
  readonly #sourceName: string
  #compiled: object | null | undefined

  /**
   * @param path below the code that runs
   * @param sourceName of the source in `assembly/`
   */
  constructor(path: string, sourceName: string) {
    this.#file = new URL(path, codeFolder)
    this.#sourceName = sourceName
  }

  /**
   * What the module exports, which is for the caller to know, with a memory of its own that holds so many bytes and never grows; null where there is no WebAssembly, none with vectors, no room for the memory, or its
   * file is not there, as after a bundler.
   * Throws ConfigurationError where the file was made of another source than the one that lies in the checkout.
   */
  open(bytes: number): { readonly exports: unknown; readonly memory: ArrayBuffer } | null {
    if (host === undefined) return null
    if (this.#compiled === undefined) this.#compiled = this.#compile(host)
    if (this.#compiled === null) return null
    const memory = memoryOf(host, bytes)
    if (memory === null) return null
    const { exports } = new host.Instance(this.#compiled, { env: { memory } })
    return { exports, memory: memory.buffer }
  }

  #compile({ validate, Module }: WebAssemblyHost): object | null {
    const bytes = contents(this.#file)
    // A processor without vectors of sixteen bytes takes no module with them.
    if (bytes === null || !validate(bytes)) return null
    const module = new Module(bytes)
    const text = contents(new URL(`assembly/${this.#sourceName}`, packageFolder))
    const [madeOf] = Module.customSections(module, 'source')
    if (
      text === null ||
      madeOf === undefined ||
      Buffer.from(madeOf).equals(createHash('sha256').update(text).digest())
    ) {
      return module
    }
    throw new ConfigurationError(
      `What is in WebAssembly was made of another state of assembly/${this.#sourceName}. Make it again: npm run build`,
    )
  }
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

function contents(url: URL): Buffer | null {
  try {
    return readFileSync(url)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw error
  }
}
