import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'
import { helpText } from './help.ts'
import { flagOf, settingNames, settingTable } from './setting-table.ts'
import { exitCodes } from './startup-error.ts'

const path = fileURLToPath(new URL('../README.md', import.meta.url))
const readme = readFileSync(path, 'utf8')

function settingsTable(): string {
  const rows = settingNames
    .filter((name) => name.startsWith('KMS_'))
    .map((name) => {
      const { value, default: preset, summary } = settingTable[name]
      const cells = [
        `\`${name}\``,
        `\`${value.replaceAll('|', '\\|')}\``,
        preset === undefined ? '' : `\`${preset}\``,
        summary,
      ]
      return `| ${cells.join(' | ')} |`
    })
  return ['| setting | value | default | |', '|---|---|---|---|', ...rows].join('\n')
}

it('the table of settings in the README is the one of the code (vitest -u writes it)', async () => {
  const marked = /(<!-- settings -->\n)[\s\S]*(<!-- \/settings -->)/
  expect(readme).toMatch(marked)
  const expected = readme.replace(marked, (_, open: string, close: string) => `${open}${settingsTable()}\n${close}`)
  await expect(expected).toMatchFileSnapshot(path)
})

it('the README has every exit code', () => {
  const documented = [...readme.matchAll(/^\| (\d) \|/gm)].map((match) => Number(match[1]))
  expect(documented).toEqual([0, ...Object.values(exitCodes)])
})

it('--help has a line for every setting', () => {
  const lines = helpText().split('\n')
  for (const name of settingNames) {
    const line = lines.filter((candidate) => candidate.startsWith(`  ${name}  ${flagOf(name)} <`))
    expect(line, name).toHaveLength(1)
    expect(line[0]).toContain(settingTable[name].summary)
  }
})

it('no document names a setting that is not there', () => {
  const root = fileURLToPath(new URL('../../../', import.meta.url))
  const paths = ['README.md', 'deploy/README.md', ...readdirSync(`${root}docs`).map((name) => `docs/${name}`)]
  const known = new Set<string>(settingNames)
  const unknown = paths.flatMap((name) =>
    [...readFileSync(root + name, 'utf8').matchAll(/\bKMS_[A-Z0-9_]*[A-Z0-9]\b(?!_?\*)/g)]
      .filter(([setting]) => !known.has(setting))
      .map(([setting]) => `${name}: ${setting}`),
  )
  expect(unknown).toEqual([])
})
