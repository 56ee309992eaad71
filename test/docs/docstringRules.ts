import { relative } from 'node:path'
import ts from 'typescript'

/** What a docstring lacks, where. */
interface Finding {
  readonly place: string
  readonly name: string
  readonly lacks: string
}

/** What was looked at, and what it lacks. */
export interface Report {
  /** Exported names, and types of ours that their declarations name. */
  readonly names: number
  readonly members: number
  /** Members, parameters, results and constants that are numbers. */
  readonly numbers: number
  readonly operators: number
  /** Names among `Rules.plainNames` that have spared a member its docstring. */
  readonly spared: ReadonlySet<string>
  readonly findings: readonly Finding[]
}

interface Rules {
  readonly program: ts.Program
  /** Paths are told from here, and only declarations below it are ours. */
  readonly root: string
  readonly entryPoints: readonly string[]
  /** Members that need no docstring, by name. */
  readonly plainNames: ReadonlySet<string>
  /** Numbers that say which one and not how much or how many: they have no unit. */
  readonly ordinalNames: RegExp
}

type Member = ts.PropertyDeclaration | ts.PropertySignature | ts.MethodDeclaration | ts.MethodSignature | ts.Declaration

/** The suffixes of CONTRIBUTING, and the same as a whole name. */
const unitInName = /(?:Ms|Bytes|Records|Rows|Count|Chars)$|^(?:ms|bytes|records|rows|count)$/
const unitWords =
  /\b(?:ms|bytes?|KiB|MiB|records?|rows?|characters|UTC|counts?|how many|how often|number of|probability|quote asset)\b|\b1e-(?:8|16)\b|\bfrom -?\d/i
/** "Times are ms UTC." says it of all members at once. */
const generalSentence = /^(?:All )?(?:times|durations|sizes|counts|numbers|prices|quantities)\b/i
const keeps = /\b(?:keeps?|holds?)\b/i
/** A guarantee says what is still true after a crash. */
const guarantee = /\b(?:crash(?:es)?|replays?|restor(?:e|es|ed)|exactly once|at least once)\b/i

/** Holds every exported name, the types of ours that its declaration names, and the public members of both to the rules for docstrings. */
export function checkDocstrings(rules: Rules): Report {
  const { program, root } = rules
  const checker = program.getTypeChecker()
  const findings: Finding[] = []
  const seen = new Set<ts.Symbol>()
  const checked = new Set<ts.Declaration>()
  const queue: ts.Symbol[] = []
  const spared = new Set<string>()
  const count = { names: 0, members: 0, numbers: 0, operators: 0 }

  function isOurs(declaration: ts.Declaration): boolean {
    const file = declaration.getSourceFile()
    return file.fileName.startsWith(root) && !file.fileName.includes('/node_modules/')
  }

  function resolved(symbol: ts.Symbol): ts.Symbol {
    return symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol
  }

  function enqueue(symbol: ts.Symbol | undefined): void {
    if (symbol === undefined) return
    const found = resolved(symbol)
    if (seen.has(found) || !(found.declarations ?? []).some(isOurs)) return
    seen.add(found)
    queue.push(found)
  }

  function report(declaration: ts.Declaration, name: string, lacks: string): void {
    const file = declaration.getSourceFile()
    const { line } = file.getLineAndCharacterOfPosition(declaration.getStart(file))
    findings.push({ place: `${relative(root, file.fileName)}:${line + 1}`, name, lacks })
  }

  function docOf(symbol: ts.Symbol): string {
    return ts.displayPartsToString(symbol.getDocumentationComment(checker)).trim()
  }

  function tagsOf(symbol: ts.Symbol, tag: string): string[] {
    const tags = symbol.getJsDocTags(checker).filter(({ name }) => name === tag)
    return tags.map(({ text }) => ts.displayPartsToString(text))
  }

  function checkName(symbol: ts.Symbol): void {
    const declaration = symbol.declarations?.find(isOurs)
    if (declaration === undefined) return
    count.names++
    const { name } = symbol
    const doc = docOf(symbol)
    if (doc === '') report(declaration, name, 'a docstring')
    else if (!beginsWithSentence(doc))
      report(declaration, name, 'a first sentence with a capital letter and a full stop')
    if (symbol.flags & (ts.SymbolFlags.Interface | ts.SymbolFlags.Class | ts.SymbolFlags.TypeAlias))
      checkType(symbol, doc)
    if (symbol.flags & ts.SymbolFlags.Variable) {
      checkNumber(declaration, name, name, checker.getTypeOfSymbol(symbol), doc)
    }
    for (const signature of checker.getTypeOfSymbol(symbol).getCallSignatures()) {
      checkParameters(symbol, signature, name, doc)
      if (isOperator(signature.getReturnType())) checkOperator(symbol, declaration, doc)
      else if (symbol.flags & ts.SymbolFlags.Function) {
        checkNumber(declaration, `${name}()`, name, signature.getReturnType(), doc)
      }
    }
  }

  function checkType(symbol: ts.Symbol, doc: string): void {
    const type = checker.getDeclaredTypeOfSymbol(symbol)
    // A union of named types is told by those; they are checked by themselves.
    const parts = type.isUnion() ? type.types.filter((part) => isOwn(part, symbol)) : [type]
    for (const part of parts) {
      if (!(part.flags & (ts.TypeFlags.Object | ts.TypeFlags.Intersection))) continue
      for (const member of checker.getPropertiesOfType(part)) checkMember(symbol, member, doc)
    }
    if (!(symbol.flags & ts.SymbolFlags.Class)) return
    const constructorType = checker.getTypeOfSymbol(symbol)
    for (const signature of constructorType.getConstructSignatures()) {
      const { declaration } = signature
      if (declaration === undefined || !isOurs(declaration) || isHidden(declaration)) continue
      const own = ts.displayPartsToString(signature.getDocumentationComment(checker))
      checkParameters(symbol, signature, `new ${symbol.name}`, `${own} ${doc}`)
    }
    for (const member of checker.getPropertiesOfType(constructorType)) {
      if (member.name !== 'prototype') checkMember(symbol, member, doc)
    }
  }

  function checkMember(owner: ts.Symbol, member: ts.Symbol, ownerDoc: string): void {
    const declaration = member.declarations?.find(isOurs) as Member | undefined
    if (declaration === undefined || isHidden(declaration) || checked.has(declaration)) return
    checked.add(declaration)
    count.members++
    const name = `${owner.name}.${member.name}`
    const doc = docOf(member)
    const isSaid = names(ownerDoc, member.name)
    const isPlain = rules.plainNames.has(member.name)
    if (doc === '' && !isSaid && isPlain) spared.add(member.name)
    if (doc === '' && !isSaid && !isPlain) report(declaration, name, 'a docstring')
    else if (doc !== '' && !/[.)]$/.test(paragraphOf(doc))) report(declaration, name, 'a full stop')
    const saying = `${doc}\n${tagsOf(member, 'returns').join('\n')}\n${sentencesAbout(ownerDoc, member.name)}`
    const type = checker.getNonNullableType(checker.getTypeOfSymbol(member))
    checkNumber(declaration, name, member.name, type, saying)
    for (const signature of type.getCallSignatures()) {
      const own = signature.declaration
      if (own !== undefined && isOurs(own)) checkParameters(member, signature, name, saying)
    }
  }

  function checkNumber(declaration: ts.Declaration, shown: string, name: string, type: ts.Type, doc: string): void {
    if (!isNumeric(type, checker) || rules.ordinalNames.test(isList(type, checker) ? name.replace(/s$/, '') : name))
      return
    count.numbers++
    if (!unitInName.test(name) && !unitWords.test(doc)) report(declaration, shown, 'a unit')
  }

  function checkParameters(symbol: ts.Symbol, signature: ts.Signature, shown: string, doc: string): void {
    for (const parameter of signature.parameters) {
      const declaration = parameter.valueDeclaration
      if (declaration === undefined || !isOurs(declaration)) continue
      const own = tagsOf(symbol, 'param').filter((text) => text.startsWith(`${parameter.name} `))
      const type = checker.getNonNullableType(checker.getTypeOfSymbol(parameter))
      checkNumber(declaration, `${shown}(${parameter.name})`, parameter.name, type, `${doc} ${own.join(' ')}`)
    }
  }

  function checkOperator(symbol: ts.Symbol, declaration: ts.Declaration, doc: string): void {
    count.operators++
    if (!keeps.test(doc)) report(declaration, symbol.name, 'what it keeps in memory ("Keeps …")')
    if (!guarantee.test(doc))
      report(declaration, symbol.name, 'its guarantee: a sentence with crash, replay, restore or … once')
    const isThrowing = canThrow(declaration, 'ConfigurationError', checker, isOurs)
    if (isThrowing && !tagsOf(symbol, 'throws').some((text) => text.includes('ConfigurationError'))) {
      report(declaration, symbol.name, '@throws ConfigurationError')
    }
  }

  for (const entryPoint of rules.entryPoints) {
    const file = program.getSourceFile(entryPoint)
    const module = file === undefined ? undefined : checker.getSymbolAtLocation(file)
    if (module === undefined) throw new Error(`${entryPoint} is no module of the program`)
    for (const symbol of checker.getExportsOfModule(module)) enqueue(symbol)
  }
  // A reader gets from an exported name to the types beside it, and no further.
  const declarations = queue.flatMap((symbol) => symbol.declarations ?? []).filter(isOurs)
  for (const used of declarations.flatMap((declaration) => typesIn(declaration, checker))) enqueue(used)
  for (const symbol of queue) checkName(symbol)
  findings.sort((a, b) => a.place.localeCompare(b.place, 'en', { numeric: true }))
  return { ...count, spared, findings }
}

/** All findings as a table; empty when there are none. */
export function findingsTable(findings: readonly Finding[]): string {
  const widths = (['place', 'name'] as const).map((column) => Math.max(...findings.map((row) => row[column].length)))
  const [place = 0, name = 0] = widths
  return findings.map((row) => `${row.place.padEnd(place)}  ${row.name.padEnd(name)}  lacks ${row.lacks}`).join('\n')
}

function paragraphOf(doc: string): string {
  return (doc.split(/\n\s*\n/)[0] as string).replace(/\s+/g, ' ').trim()
}

function beginsWithSentence(doc: string): boolean {
  const paragraph = paragraphOf(doc)
  return /^[A-Z]/.test(paragraph) && /\.\)?$/.test(paragraph) && paragraph.split(' ').length >= 3
}

/** Whether the docstring has the name between backticks. */
function names(doc: string, name: string): boolean {
  return [...doc.matchAll(/`([^`]+)`/g)].some(([, code]) => (code as string).split(/\W+/).includes(name))
}

function sentencesAbout(doc: string, name: string): string {
  const sentences = doc.replace(/\s+/g, ' ').split(/(?<=[.:;]) /)
  return sentences.filter((sentence) => generalSentence.test(sentence) || names(sentence, name)).join(' ')
}

function isHidden(declaration: ts.Declaration): boolean {
  const name = ts.getNameOfDeclaration(declaration)
  if (name !== undefined && (ts.isPrivateIdentifier(name) || ts.isComputedPropertyName(name))) return true
  return (ts.getCombinedModifierFlags(declaration) & (ts.ModifierFlags.Private | ts.ModifierFlags.Protected)) !== 0
}

/** Whether the part of a union is written out in it. */
function isOwn(part: ts.Type, alias: ts.Symbol): boolean {
  const declaration = part.symbol?.declarations?.[0]
  return (
    declaration !== undefined &&
    (alias.declarations ?? []).some((own) => own === declaration || isInside(declaration, own))
  )
}

function isInside(node: ts.Node, outer: ts.Node): boolean {
  for (let at: ts.Node | undefined = node; at !== undefined; at = at.parent) if (at === outer) return true
  return false
}

/**
 * A number, perhaps null or one of a few words, or what gives or holds numbers: a function, a promise, a list, a map. Not a number or a text, which is
 * an identity; and not a number or a bigint, which is a `Fixed8`, whose name is its unit.
 */
function isNumeric(type: ts.Type, checker: ts.TypeChecker): boolean {
  if (type.flags & ts.TypeFlags.NumberLike) return true
  if (type.isUnion()) {
    const isOther = (part: ts.Type) => (part.flags & (ts.TypeFlags.String | ts.TypeFlags.BigInt)) !== 0
    return type.types.some((part) => isNumeric(part, checker)) && !type.types.some(isOther)
  }
  if (!(type.flags & ts.TypeFlags.Object)) return false
  const name = type.symbol?.name ?? ''
  if (/^(?:Array|ReadonlyArray|Promise|Set|ReadonlySet|Map|ReadonlyMap)$/.test(name)) {
    const last = checker.getTypeArguments(type as ts.TypeReference).at(-1)
    return last !== undefined && isNumeric(last, checker)
  }
  const [signature] = type.getCallSignatures()
  return signature !== undefined && isNumeric(signature.getReturnType(), checker)
}

/** Whether it is, or gives, a list. */
function isList(type: ts.Type, checker: ts.TypeChecker): boolean {
  if (checker.isArrayType(type)) return true
  const [signature] = type.getCallSignatures()
  if (signature !== undefined) return isList(signature.getReturnType(), checker)
  const [inner] = type.symbol?.name === 'Promise' ? checker.getTypeArguments(type as ts.TypeReference) : []
  return inner !== undefined && isList(inner, checker)
}

function isOperator(type: ts.Type): boolean {
  const name = (type.aliasSymbol ?? type.symbol)?.name
  return name === 'OperatorFunction' || name === 'MonoTypeOperatorFunction'
}

/** Named types in what a declaration shows of itself; function bodies and private members are not shown. */
function typesIn(declaration: ts.Declaration, checker: ts.TypeChecker): ts.Symbol[] {
  const found: ts.Symbol[] = []
  const visit = (node: ts.Node): void => {
    if (ts.isBlock(node) || (ts.isClassElement(node) && isHidden(node))) return
    if (ts.isExpression(node) && !ts.isExpressionWithTypeArguments(node) && !ts.isArrowFunction(node)) return
    if (ts.isTypeReferenceNode(node)) {
      const symbol = checker.getSymbolAtLocation(node.typeName)
      if (symbol !== undefined && !(symbol.flags & ts.SymbolFlags.TypeParameter)) found.push(symbol)
    }
    ts.forEachChild(node, visit)
  }
  ts.forEachChild(declaration, visit)
  return found
}

/** Whether a call of the function itself may throw the error, in its own body or in a function of ours that it calls. */
function canThrow(
  declaration: ts.Declaration,
  error: string,
  checker: ts.TypeChecker,
  isOurs: (declaration: ts.Declaration) => boolean,
  visited = new Set<ts.Node>(),
): boolean {
  if (visited.has(declaration) || !isOurs(declaration)) return false
  visited.add(declaration)
  const body = ts.isVariableDeclaration(declaration)
    ? declaration.initializer
    : (declaration as ts.FunctionDeclaration).body
  let isThrowing = false
  const visit = (node: ts.Node): void => {
    if (isThrowing) return
    if (ts.isThrowStatement(node) && node.expression.getText().includes(`new ${error}(`)) isThrowing = true
    // What a function written in the body does, it does later.
    if (ts.isFunctionLike(node) && node !== body) return
    if (ts.isCallExpression(node)) {
      const symbol = checker.getSymbolAtLocation(node.expression)
      const target =
        symbol !== undefined && symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol
      const called = target?.valueDeclaration
      if (called !== undefined && canThrow(called, error, checker, isOurs, visited)) isThrowing = true
    }
    ts.forEachChild(node, visit)
  }
  if (body !== undefined) visit(body)
  return isThrowing
}
