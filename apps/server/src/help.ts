import { flagOf, type SettingName, settingNames, settingTable } from './setting-table.ts'

/** The text of `--help`: a line for every setting. */
export function helpText(): string {
  const own = settingNames.filter((name) => name.startsWith('KMS_'))
  const rustfs = settingNames.filter((name) => name.startsWith('RUSTFS_'))
  return [
    'kms-server [flags]',
    '',
    'Every setting is a flag, a variable of the environment, or a member of the JSON object in the file --config names;',
    'a flag wins over the environment, the environment over the file. Relative paths count from the working directory.',
    '',
    '  --config file     read settings from a file',
    '  --version         print the version',
    '  --help            print this text',
    '',
    ...own.flatMap(describe),
    '',
    'Settings of RustFS, used when no configuration is stored and RUSTFS_KMS_ENABLE is on:',
    '',
    ...rustfs.flatMap(describe),
    '',
  ].join('\n')
}

function describe(name: SettingName): string {
  const { value, summary, default: preset } = settingTable[name]
  const text = preset === undefined ? summary : `${summary} Default: ${preset}.`
  return `  ${name}  ${flagOf(name)} <${value}>  ${text}`
}
