import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import ts from 'typescript'

/** A name that an entry point of the package exports. */
export interface PublicName {
  readonly name: string
  /** As it is written, without bodies and initial values; overloads below each other. */
  readonly declaration: string
  readonly description: string
  /** What it throws, as the docstring says. */
  readonly throws: readonly string[]
  /** Of an interface or class; of a function the options that it takes. */
  readonly members: readonly PublicMember[]
}

export interface PublicMember {
  readonly name: string
  readonly type: string
  readonly isOptional: boolean
  readonly description: string
}

/** An entry point, such as `millrace/testing`, with its names in alphabetical order. */
export interface EntryPoint {
  readonly specifier: string
  readonly names: readonly PublicName[]
}

/** What the entry points of the package export, with their docstrings. */
export function readPublicNames(root: string): readonly EntryPoint[] {
  const packageText = readFileSync(join(root, 'package.json'), 'utf8')
  const { name: packageName, exports } = JSON.parse(packageText) as {
    name: string
    exports: Record<string, string | { types: string }>
  }
  const entries = Object.entries(exports).flatMap(([path, entry]) =>
    typeof entry === 'string'
      ? []
      : [
          {
            specifier: join(packageName, path),
            file: join(root, entry.types.replace('./dist/modules/', 'src/').replace('.d.ts', '.ts')),
          },
        ],
  )
  const config = ts.readConfigFile(join(root, 'tsconfig.json'), ts.sys.readFile)
  const { options } = ts.parseJsonConfigFileContent(config.config, ts.sys, root)
  const program = ts.createProgram(
    entries.map(({ file }) => file),
    options,
  )
  const checker = program.getTypeChecker()
  return entries.map(({ specifier, file }) => {
    const source = program.getSourceFile(file)
    const module = source && checker.getSymbolAtLocation(source)
    if (module === undefined) throw new Error(`${file} exports nothing`)
    const names = checker
      .getExportsOfModule(module)
      .map((symbol) => publicName(checker, symbol))
      .toSorted((a, b) => a.name.localeCompare(b.name, 'en'))
    return { specifier, names }
  })
}

function publicName(checker: ts.TypeChecker, exported: ts.Symbol): PublicName {
  const symbol = exported.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(exported) : exported
  const declarations = (symbol.declarations ?? []).filter(isSignature)
  return {
    name: exported.name,
    declaration: declarations.map(written).join('\n'),
    description: textOf(symbol.getDocumentationComment(checker)),
    throws: symbol
      .getJsDocTags(checker)
      .filter(({ name }) => name === 'throws')
      .map(({ text }) => textOf(text)),
    members: declarations.flatMap((declaration) => membersOf(checker, declaration)),
  }
}

function textOf(parts: readonly ts.SymbolDisplayPart[] | undefined): string {
  return ts.displayPartsToString([...(parts ?? [])])
}

/** Not the implementation of a function that has overloads. */
function isSignature(declaration: ts.Declaration, _at: number, all: readonly ts.Declaration[]): boolean {
  const hasBody = ts.isFunctionDeclaration(declaration) && declaration.body !== undefined
  return !(hasBody && all.length > 1)
}

function written(declaration: ts.Declaration): string {
  if (ts.isFunctionDeclaration(declaration)) {
    const end = declaration.body?.pos ?? declaration.end
    return declaration.getSourceFile().text.slice(declaration.getStart(), end).trim()
  }
  if (ts.isInterfaceDeclaration(declaration) || ts.isClassDeclaration(declaration)) {
    const text = declaration.getText()
    return text.slice(0, text.indexOf('{')).trim()
  }
  if (ts.isVariableDeclaration(declaration)) return `const ${declaration.name.getText()}`
  return declaration.getText()
}

function membersOf(checker: ts.TypeChecker, declaration: ts.Declaration): PublicMember[] {
  if (ts.isInterfaceDeclaration(declaration) || ts.isClassDeclaration(declaration)) {
    return propertiesOf(checker, checker.getTypeAtLocation(declaration))
  }
  if (!ts.isFunctionDeclaration(declaration)) return []
  const options = declaration.parameters.find(({ name }) => name.getText() === 'options')
  return options === undefined ? [] : propertiesOf(checker, checker.getTypeAtLocation(options))
}

function propertiesOf(checker: ts.TypeChecker, type: ts.Type): PublicMember[] {
  const parts = type.isUnion() ? type.types : [type]
  const members = new Map<string, PublicMember>()
  for (const property of parts.flatMap((part) => checker.getPropertiesOfType(part))) {
    const [declaration] = property.declarations ?? []
    if (declaration === undefined || !isOurs(declaration) || isHidden(declaration)) continue
    const isOptional = (property.flags & ts.SymbolFlags.Optional) !== 0
    const type = typeOf(declaration)
    const known = members.get(property.name)
    members.set(property.name, {
      name: property.name,
      type: known === undefined || known.type === type ? type : `${known.type} | ${type}`,
      isOptional: isOptional || (known?.isOptional ?? false),
      description: known?.description ?? textOf(property.getDocumentationComment(checker)),
    })
  }
  return [...members.values()]
}

function isOurs(declaration: ts.Declaration): boolean {
  return !declaration.getSourceFile().fileName.includes('/node_modules/')
}

function isHidden(declaration: ts.Declaration): boolean {
  const flags = ts.getCombinedModifierFlags(declaration)
  const { name } = declaration as ts.NamedDeclaration
  return (
    (flags & (ts.ModifierFlags.Private | ts.ModifierFlags.Protected)) !== 0 ||
    (name !== undefined && ts.isPrivateIdentifier(name))
  )
}

function typeOf(declaration: ts.Declaration): string {
  if (ts.isMethodDeclaration(declaration) || ts.isMethodSignature(declaration)) {
    const parameters = declaration.parameters.map((parameter) => parameter.getText()).join(', ')
    return `(${parameters}) => ${declaration.type?.getText() ?? 'void'}`
  }
  if (ts.isPropertySignature(declaration) || ts.isPropertyDeclaration(declaration) || ts.isGetAccessor(declaration)) {
    return declaration.type?.getText() ?? ''
  }
  return ''
}
