const printed = /\n((?:\/\/ .*\n)+)$/

/** The program of a file of examples/operators, without what it prints. */
export function programOf(example: string): string {
  return example.replace(printed, '')
}

/** What the comment at the end of a file of examples/operators says that it prints. */
export function printedBy(example: string): string {
  return (printed.exec(example)?.[1] ?? '').replaceAll(/^\/\/ /gm, '')
}
