import { parseAst } from 'vitest/node'

export interface ImportFact {
  readonly specifier: string
  /** True when nothing of the import is left at run time. */
  readonly typeOnly: boolean
}

export interface SourceFacts {
  /** Static imports, re-exports, dynamic imports, import types and `require` calls. */
  readonly imports: readonly ImportFact[]
  /** True when an `import()` computes its specifier, so that nobody can tell what it reaches. */
  readonly computedImport: boolean
  /** True when the file has an `export * from`. */
  readonly exportsStar: boolean
  readonly identifiers: ReadonlySet<string>
  /** The values of string literals, import specifiers included. */
  readonly strings: ReadonlySet<string>
}

type Node = Readonly<Record<string, unknown>> & { readonly type: string }

function isNode(value: unknown): value is Node {
  return typeof value === 'object' && value !== null && typeof (value as Node).type === 'string'
}

function children(node: Node): Node[] {
  return Object.values(node).flat().filter(isNode)
}

/** The value of a string literal, or of a template without holes. */
function literal(node: unknown): string | undefined {
  if (!isNode(node)) return undefined
  if (node.type === 'Literal' && typeof node['value'] === 'string') return node['value']
  if (node.type !== 'TemplateLiteral') return undefined
  const [only, ...more] = node['quasis'] as readonly { readonly value: { readonly cooked: string } }[]
  return more.length === 0 ? only?.value.cooked : undefined
}

/** `import { type A }` keeps its module loaded, so only the keyword on the whole declaration counts. */
function isTypeOnly(node: Node): boolean {
  return node['importKind'] === 'type' || node['exportKind'] === 'type'
}

function specifierOf(node: Node): unknown {
  switch (node.type) {
    case 'ImportDeclaration':
    case 'ExportNamedDeclaration':
    case 'ExportAllDeclaration':
    case 'ImportExpression':
    case 'TSImportType':
      return node['source']
    case 'TSExternalModuleReference':
      return node['expression']
    case 'CallExpression': {
      const callee = node['callee']
      if (!isNode(callee) || callee['name'] !== 'require') return undefined
      return (node['arguments'] as readonly unknown[])[0]
    }
    default:
      return undefined
  }
}

/** Reads what the checks want to know of a TypeScript module. Throws when the text is not TypeScript. */
export function sourceFacts(text: string): SourceFacts {
  const imports: ImportFact[] = []
  const identifiers = new Set<string>()
  const strings = new Set<string>()
  let computedImport = false
  let exportsStar = false
  const pending: Node[] = [parseAst(text, { lang: 'ts' }) as unknown as Node]
  for (let node = pending.pop(); node !== undefined; node = pending.pop()) {
    pending.push(...children(node))
    const source = specifierOf(node)
    const specifier = literal(source)
    if (specifier !== undefined) {
      imports.push({ specifier, typeOnly: node.type === 'TSImportType' || isTypeOnly(node) })
    } else if (node.type === 'ImportExpression' || (node.type === 'CallExpression' && source !== undefined)) {
      computedImport = true
    }
    if (node.type === 'ExportAllDeclaration') exportsStar = true
    if (node.type === 'Identifier') identifiers.add(node['name'] as string)
    if (node.type === 'Literal' && typeof node['value'] === 'string') strings.add(node['value'])
  }
  return { imports, computedImport, exportsStar, identifiers, strings }
}
