import { SaxesParser } from 'saxes'
import { s3Error } from '../s3-error.ts'

/** An element: text or children, never both. */
export interface XmlElement {
  /** Without prefix. */
  readonly name: string
  readonly text: string
  readonly children: readonly XmlElement[]
}

const DEEPEST = 8

/**
 * Reads a small XML document. Throws `MalformedXML` for what is not well-formed, has a DOCTYPE (and with it entities of its own), is nested
 * deeper than anything S3 knows, or has another root than `root`.
 */
export function readXml(bytes: Uint8Array, root: string): XmlElement {
  const stack: { readonly name: string; text: string; readonly children: XmlElement[] }[] = []
  let found: XmlElement | undefined
  const parser = new SaxesParser({ xmlns: false, position: false })
  parser.on('error', (error) => {
    throw malformed(error)
  })
  parser.on('doctype', () => {
    throw malformed()
  })
  parser.on('opentag', ({ name }) => {
    if (stack.length === DEEPEST) throw malformed()
    stack.push({ name: name.slice(name.indexOf(':') + 1), text: '', children: [] })
  })
  const addText = (text: string): void => {
    const top = stack.at(-1)
    if (top !== undefined) top.text += text
  }
  parser.on('text', addText)
  parser.on('cdata', addText)
  parser.on('closetag', () => {
    const { name, text, children } = stack.pop() as (typeof stack)[number]
    if (children.length > 0 && text.trim() !== '') throw malformed()
    const element = { name, text: children.length > 0 ? '' : text, children }
    const parent = stack.at(-1)
    if (parent === undefined) found = element
    else parent.children.push(element)
  })
  let text: string
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    throw malformed()
  }
  parser.write(text).close()
  if (found?.name !== root) throw malformed()
  return found
}

/** The children of a name. */
export function childrenOf(element: XmlElement, name: string): readonly XmlElement[] {
  return element.children.filter((child) => child.name === name)
}

/** The only child of a name, if it is there. Throws `MalformedXML` when there are several. */
export function childOf(element: XmlElement, name: string): XmlElement | undefined {
  const found = childrenOf(element, name)
  if (found.length > 1) throw malformed()
  return found[0]
}

/** The text of the only child of a name, if it is there. Throws `MalformedXML`. */
export function textOf(element: XmlElement, name: string): string | undefined {
  const child = childOf(element, name)
  if (child !== undefined && child.children.length > 0) throw malformed()
  return child?.text
}

/** Throws `MalformedXML` for children that are not among `names`: one ignored may be one that meant "don't". */
export function refuseOtherChildren(element: XmlElement, names: readonly string[]): void {
  if (element.children.some(({ name }) => !names.includes(name))) throw malformed()
}

export function malformed(cause?: unknown): Error {
  return s3Error('MalformedXML', { cause })
}
