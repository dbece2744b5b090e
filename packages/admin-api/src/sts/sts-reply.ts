/** An element: text, or the elements in it. */
export type XmlContent = string | readonly (readonly [name: string, content: XmlContent])[]

const NAMESPACE = 'https://sts.amazonaws.com/doc/2011-06-15/'

/** The reply to an action: `<Action>Response` with `<Action>Result` (AWS STS API reference). */
export function formatResponse(action: string, result: XmlContent, requestId: string): string {
  return formatRoot(`${action}Response`, [
    [`${action}Result`, result],
    ['ResponseMetadata', [['RequestId', requestId]]],
  ])
}

/** The reply to a request that was refused (`Sender`) or failed (`Receiver`). */
export function formatError(
  { code, status, message }: { readonly code: string; readonly status: number; readonly message: string },
  requestId: string,
): string {
  return formatRoot('ErrorResponse', [
    [
      'Error',
      [
        ['Type', status < 500 ? 'Sender' : 'Receiver'],
        ['Code', code],
        ['Message', message],
      ],
    ],
    ['RequestId', requestId],
  ])
}

function formatRoot(name: string, content: XmlContent): string {
  return `<?xml version="1.0" encoding="UTF-8"?>\n<${name} xmlns="${NAMESPACE}">${formatContent(content)}</${name}>\n`
}

function formatContent(content: XmlContent): string {
  if (typeof content === 'string') return escapeText(content)
  return content.map(([name, inner]) => `<${name}>${formatContent(inner)}</${name}>`).join('')
}

/** Control characters, most of which XML 1.0 has no way to write, become U+FFFD. */
function escapeText(text: string): string {
  return text
    .replace(/[\p{Cc}\ufffe\uffff]/gu, (character) => (character === '\n' || character === '\t' ? character : '\ufffd'))
    .replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`)
}
