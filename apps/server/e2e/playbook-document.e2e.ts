import { expect, it } from 'vitest'
import { createComparison, type WalkedBlock, walkedBlocks } from '../../../tools/walked-document.ts'
import { createReader, type Reader, readDocument } from './reader.ts'

const DOCUMENT = 'docs/playbook.md'

/** What is substituted stands at the top of the document. */
it('the playbook, from top to bottom, prints what it says', { timeout: 300_000 }, async ({ skip }) => {
  const reader = await createReader(skip)
  const compare = createComparison()
  for (const block of walkedBlocks(readDocument(DOCUMENT))) {
    const printed = await take(reader, block)
    const difference = compare(reader.here(block.printed ?? ''), printed)
    expect(difference, `${DOCUMENT}:${block.line}:\n${block.code}\n${printed}`).toBeUndefined()
  }
})

async function take(reader: Reader, { language, code }: WalkedBlock): Promise<string> {
  const block = reader.here(code)
  if (language === 'bash') {
    const ended = await reader.terminal.type(block)
    return ended.code === 0 ? ended.printed : `${ended.printed}\nended with ${ended.code}`
  }
  if (block === 'npm start\n') return reader.npmStart()
  if (block.includes('pip install')) return ''
  if (block.startsWith('bao server -dev ')) {
    await reader.startVault(block)
    return ''
  }
  throw new Error(`nobody knows how to type ${block}`)
}
