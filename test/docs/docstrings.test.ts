import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import ts from 'typescript'
import { describe, expect, it } from 'vitest'
import { checkDocstrings, findingsTable, type Report } from './docstringRules.ts'

/** Members that need no docstring of their own, and why. */
const plainNames: Readonly<Record<string, string>> = {
  kind: 'the tag of a union: its value says it',
  type: 'a tag as well, or a column’s type',
  topic: 'a word of Kafka, meant as there',
  partition: 'a word of Kafka',
  offset: 'a word of Kafka',
  key: 'a word of Kafka; in an object store the name of an object',
  value: 'a word of Kafka; elsewhere what the owner is about',
  headers: 'a word of Kafka',
  pipeline: 'the name or the definition; its type says which',
  market: 'the type Market says it',
  interval: 'the type Interval says it',
  symbol: 'what is traded, in the spelling of the exchange',
  clock: 'always processing time, the system’s unless told otherwise',
}

/** Which one, and not how much or how many. */
const ordinalNames =
  /^(?:input|generation|revision|port|version|leader|status)$|(?:^o|O)ffsets?$|(?:^s|S)equence$|(?:^p|P)artition(?:Of)?$|(?:^i|I|^pi|Pi)d$/

const root = fileURLToPath(new URL('../../', import.meta.url))
const rules = { plainNames: new Set(Object.keys(plainNames)), ordinalNames }

function entryPointsOf(packageFile: string): string[] {
  const { exports } = JSON.parse(readFileSync(packageFile, 'utf8')) as { exports: Record<string, unknown> }
  return Object.values(exports).flatMap((entry) => {
    const types = typeof entry === 'object' ? (entry as { types: string }).types : null
    return types === null ? [] : [root + types.replace('./dist/modules/', 'src/').replace('.d.ts', '.ts')]
  })
}

describe('the public interface', () => {
  const entryPoints = entryPointsOf(`${root}package.json`)
  const config = ts.readConfigFile(`${root}tsconfig.json`, ts.sys.readFile)
  const { options } = ts.parseJsonConfigFileContent(config.config, ts.sys, root)
  const report = checkDocstrings({
    ...rules,
    program: ts.createProgram(entryPoints, options),
    root: `${root}src/`,
    entryPoints,
  })

  it('says of every name what it gives, of every number its unit, of every operator what it keeps, throws and guarantees', () => {
    expect(findingsTable(report.findings)).toBe('')
  })

  it('is looked at through every entry point of the package', () => {
    expect(entryPoints.map((file) => file.slice(root.length))).toEqual([
      'src/index.ts',
      'src/testing/index.ts',
      'src/postgres.ts',
      'src/archive.ts',
      'src/avro.ts',
      'src/indicators.ts',
      'src/alerts.ts',
      'src/lake.ts',
      'src/quality.ts',
      'src/schedule.ts',
      'src/kafka.ts',
    ])
    expect(report.names).toBeGreaterThan(200)
    expect(report.members).toBeGreaterThan(600)
    expect(report.numbers).toBeGreaterThan(150)
    expect(report.operators).toBeGreaterThanOrEqual(10)
  })

  it('has a use for every name that needs no docstring', () => {
    expect(Object.keys(plainNames).filter((name) => !report.spared.has(name))).toEqual([])
  })
})

const globals = `
  interface Array<T> { readonly length: number }
  interface ReadonlyArray<T> { readonly length: number }
  interface Promise<T> { then(): void }
  interface Boolean {} interface CallableFunction {} interface Function {} interface IArguments {} interface NewableFunction {}
  interface Number {} interface Object {} interface RegExp {} interface String {}`

const rxjs = `
  export interface OperatorFunction<T, R> { (source: T): R }
  export interface MonoTypeOperatorFunction<T> extends OperatorFunction<T, T> {}`

/** What the rules say of one small module; `inner` is a module that it may import. */
function check(text: string, inner = 'export {}'): Report {
  const sources: Readonly<Record<string, string>> = {
    '/src/index.ts': text,
    '/src/inner.ts': inner,
    '/globals.d.ts': globals,
    '/rxjs.ts': rxjs,
  }
  const options: ts.CompilerOptions = {
    noLib: true,
    strict: true,
    target: ts.ScriptTarget.ES2024,
    module: ts.ModuleKind.ESNext,
    moduleResolution: ts.ModuleResolutionKind.Bundler,
    allowImportingTsExtensions: true,
    noEmit: true,
    types: [],
  }
  const host: ts.CompilerHost = {
    ...ts.createCompilerHost(options),
    fileExists: (file) => file in sources,
    readFile: (file) => sources[file],
    getSourceFile: (file, target) => {
      const source = sources[file]
      return source === undefined ? undefined : ts.createSourceFile(file, source, target, true)
    },
    getCurrentDirectory: () => '/',
    directoryExists: () => true,
  }
  const entryPoints = ['/src/index.ts']
  const program = ts.createProgram([...entryPoints, '/globals.d.ts'], options, host)
  expect(ts.getPreEmitDiagnostics(program).map(({ messageText }) => messageText)).toEqual([])
  return checkDocstrings({ ...rules, program, root: '/src/', entryPoints })
}

function lacksOf(text: string, inner?: string): string[] {
  return check(text, inner).findings.map(({ name, lacks }) => `${name}: ${lacks}`)
}

describe('a name', () => {
  it('needs a docstring, whether it is a type, a function, a constant or a class', () => {
    const text = 'export type A = 1\nexport function b(): void {}\nexport const c = "c"\nexport class D {}\n'
    expect(lacksOf(text)).toEqual(['A', 'b', 'c', 'D'].map((name) => `${name}: a docstring`))
  })

  it('has one that begins with a whole sentence', () => {
    const begins = (doc: string) => lacksOf(`/** ${doc} */\nexport type A = string`)
    expect(begins('A name of something.')).toEqual([])
    expect(begins('A name of something, in two parts: one, and another.')).toEqual([])
    for (const doc of ['a name of something.', 'A name of something', 'Something.', '@see something']) {
      expect(begins(doc)).toHaveLength(1)
    }
  })

  it('is told where it is declared, not where it is exported, with all that it lacks in one table', () => {
    const { findings } = check(
      "export { b } from './inner.ts'",
      '\n/** Gives it back. */\nexport function b(size: number): void {}\nexport const c = 1',
    )
    expect(findingsTable(findings)).toBe('inner.ts:3  b(size)  lacks a unit')
  })

  it('answers for the types of ours that it names, and not for those that these name', () => {
    const inner = 'export interface Options { readonly deep: Deep }\nexport interface Deep { readonly a: string }'
    const text =
      "import type { Options } from './inner.ts'\n/** Does what it is told. */\nexport function a(options: Options): void {}"
    expect(lacksOf(text, inner)).toEqual(['Options: a docstring', 'Options.deep: a docstring'])
  })
})

describe('a member', () => {
  const membersOf = (doc: string, body: string) =>
    lacksOf(`/** Holds a few things. ${doc} */\nexport interface A {\n${body}\n}`)

  it('needs a docstring with a full stop, unless its owner speaks of it or its name is plain', () => {
    expect(membersOf('', 'readonly a: string')).toEqual(['A.a: a docstring'])
    expect(membersOf('', '/** Something */ readonly a: string')).toEqual(['A.a: a full stop'])
    expect(membersOf('', '/** Something. */ readonly a: string')).toEqual([])
    expect(membersOf('Of these `a` is one.', 'readonly a: string')).toEqual([])
    expect(membersOf('Of these a is one, and `ab` another.', 'readonly a: string')).toEqual(['A.a: a docstring'])
    expect(membersOf('', 'readonly topic: string')).toEqual([])
  })

  it('that implements or overrides one with a docstring shares it', () => {
    const inner = 'export interface Port {\n/** Ends it. */\nclose(): void\n}'
    const text =
      "import type { Port } from './inner.ts'\n/** A port of this kind. */\nexport class A implements Port { close(): void {} open(): void {} }"
    expect(lacksOf(text, inner)).toEqual(['A.open: a docstring'])
  })

  it('that is inherited counts although its owner is not exported', () => {
    const text =
      'interface Base { readonly a: string }\n/** Has what the base has. */\nexport interface B extends Base {}'
    expect(lacksOf(text)).toEqual(['B.a: a docstring'])
  })

  it('that is private is nobody’s business', () => {
    const text =
      '/** Keeps it to itself. */\nexport class A { private a = 1; protected b = 1; readonly #c = 1; get size(): number { return this.#c } }'
    expect(lacksOf(text)).toEqual(['A.size: a docstring', 'A.size: a unit'])
  })
})

describe('a number', () => {
  const numberOf = (member: string, owner = '') =>
    lacksOf(`/** Holds a few things. ${owner} */\nexport interface A {\n${member}\n}`)

  it('has its unit in its name or in its docstring', () => {
    expect(numberOf('/** How far it goes. */ readonly reach: number')).toEqual(['A.reach: a unit'])
    expect(numberOf('/** How far it goes. */ readonly reach: number | null')).toEqual(['A.reach: a unit'])
    expect(numberOf('/** How far it goes. */ readonly reach?: number')).toEqual(['A.reach: a unit'])
    expect(numberOf('/** How far it goes. */ readonly reachMs: number')).toEqual([])
    expect(numberOf('/** How far it goes, ms. */ readonly reach: number')).toEqual([])
    expect(numberOf('/** Terms and items. */ readonly reach: number')).toEqual(['A.reach: a unit'])
  })

  it('has it in the owner’s sentence about it, or about all of its kind, and in no other', () => {
    const member = '/** How far it goes. */ readonly reach: number'
    expect(numberOf(member, 'The `reach` is in bytes.')).toEqual([])
    expect(numberOf(member, 'Durations are ms.')).toEqual([])
    expect(numberOf(member, 'Some of it takes 5 ms. The `reach` is long.')).toEqual(['A.reach: a unit'])
  })

  it('may be given by a function, a promise or a list, and be a parameter', () => {
    for (const type of ['() => number', 'Promise<number>', 'readonly number[]', '() => Promise<number | null>']) {
      expect(numberOf(`/** How far it goes. */ readonly reach: ${type}`)).toEqual(['A.reach: a unit'])
    }
    expect(numberOf('/** Goes far. */ go(reach: number, limitMs: number): void')).toEqual(['A.go(reach): a unit'])
    expect(numberOf('/**\n * Goes far.\n * @param reach bytes to go\n */ go(reach: number): void')).toEqual([])
    expect(lacksOf('/** Gives how long something is. */\nexport function long(): number { return 1 }')).toEqual([
      'long(): a unit',
    ])
    expect(lacksOf('/** Says how long it is. */\nexport class A { constructor(size: number) {} }')).toEqual([
      'new A(size): a unit',
    ])
  })

  it('that says which one has none, nor has what may be a text or a bigint', () => {
    for (const member of [
      'partition: number',
      'partitions: readonly number[]',
      'nextOffset: number',
      'seed: number | string',
      'price: number | bigint',
    ]) {
      expect(numberOf(`/** Something. */ readonly ${member}`)).toEqual([])
    }
    expect(numberOf('/** Something. */ readonly partitions: number')).toEqual(['A.partitions: a unit'])
  })
})

describe('an operator', () => {
  const operatorOf = (doc: string, body = '') =>
    lacksOf(
      `import type { MonoTypeOperatorFunction } from '../rxjs.ts'
      import { refuse } from './inner.ts'
      class ConfigurationError {}
      /**
       * Passes everything on.
       * ${doc}
       */
      export function op<T>(): MonoTypeOperatorFunction<T> {
        ${body}
        return (source) => { refuse(); return source }
      }`,
      'class ConfigurationError {}\nexport function refuse(): void { throw new ConfigurationError() }',
    )

  it('says what it keeps and what a crash does to it', () => {
    expect(operatorOf('')).toEqual([
      'op: what it keeps in memory ("Keeps …")',
      'op: its guarantee: a sentence with crash, replay, restore or … once',
    ])
    expect(operatorOf('Keeps nothing, so a crash loses nothing.')).toEqual([])
  })

  it('says that it throws ConfigurationError where a call of it can, by itself or by what it calls', () => {
    const doc = 'Keeps nothing, so a crash loses nothing.'
    expect(operatorOf(doc, 'if (0 as number) throw new ConfigurationError()')).toEqual([
      'op: @throws ConfigurationError',
    ])
    expect(operatorOf(doc, 'refuse()')).toEqual(['op: @throws ConfigurationError'])
    expect(operatorOf(`${doc}\n * @throws ConfigurationError on nothing in particular`, 'refuse()')).toEqual([])
  })
})
