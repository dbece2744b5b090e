/** A piece of XML: an element, several, or nothing. */
export type Xml = { readonly xml: string } | undefined | readonly Xml[]

const NAMESPACE = 'http://s3.amazonaws.com/doc/2006-03-01/'
const DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>\n'

/** An element with text, or with children. */
export function element(name: string, content: string | number | boolean | Xml, attributes = ''): Xml {
  const inner = isXml(content) ? join(content) : escapeText(String(content))
  return { xml: `<${name}${attributes}>${inner}</${name}>` }
}

/** {@link element}, or nothing when there is no content. */
export function optional(name: string, content: string | number | boolean | undefined): Xml {
  return content === undefined ? undefined : element(name, content)
}

/** A whole document of S3's. */
export function document(root: string, content: string | Xml): string {
  return DECLARATION + join(element(root, content, ` xmlns="${NAMESPACE}"`))
}

/** A whole document without a namespace: what errors are. */
export function bareDocument(root: string, content: Xml): string {
  return DECLARATION + join(element(root, content))
}

/** As S3 encodes names for `encoding-type=url`: UTF-8, everything but unreserved characters and the slash. */
export function encodeName(name: string): string {
  return encodeURIComponent(name)
    .replaceAll('%2F', '/')
    .replace(/[!'()*]/g, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`)
}

function isXml(content: unknown): content is Xml {
  return content === undefined || typeof content === 'object'
}

function join(xml: Xml): string {
  if (xml === undefined) return ''
  return 'xml' in xml ? xml.xml : xml.map(join).join('')
}

const ESCAPES: ReadonlyMap<string, string> = new Map([
  ['&', '&amp;'],
  ['<', '&lt;'],
  ['>', '&gt;'],
  ['"', '&quot;'],
])

/** Control characters become references, as S3 sends them; most parsers refuse those of XML 1.1, hence `encoding-type`. */
function escapeText(text: string): string {
  // oxlint-disable-next-line no-control-regex -- they are what is looked for
  return text.replace(/[&<>"\u0000-\u001f\u007f\ufffe\uffff]/g, (character) => {
    return ESCAPES.get(character) ?? `&#x${character.charCodeAt(0).toString(16)};`
  })
}
