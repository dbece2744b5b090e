import { SaxesParser } from 'saxes'

/** Visits the text of every element of a document that has some, with the names that lead to it. Throws for what is no XML. */
export function readElements(xml: string, visit: (path: string, text: string) => void): void {
  const names: string[] = []
  let text = ''
  const parser = new SaxesParser({ xmlns: false, position: false })
  parser.on('error', (error) => {
    throw error
  })
  parser.on('doctype', () => {
    throw new Error('no reply of S3 has a DOCTYPE')
  })
  parser.on('opentag', ({ name }) => {
    names.push(name)
    text = ''
  })
  parser.on('text', (part) => {
    text += part
  })
  parser.on('closetag', () => {
    if (text !== '') visit(names.join('/'), text)
    names.pop()
    text = ''
  })
  parser.write(xml).close()
}
