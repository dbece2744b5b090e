import type { Command } from 'commander'

export const shells = ['bash', 'zsh', 'fish'] as const
export type Shell = (typeof shells)[number]

/** What may follow each chain of words: subcommands and options. */
function tree(program: Command): ReadonlyMap<string, readonly string[]> {
  const words = new Map<string, readonly string[]>()
  const visit = (command: Command, path: string): void => {
    const names = command.commands.map((each) => each.name())
    const options = [...program.options, ...command.options].map(({ long }) => long ?? '')
    words.set(path, [...names, ...new Set(options), '--help'])
    for (const each of command.commands) visit(each, `${path} ${each.name()}`.trim())
  }
  visit(program, '')
  return words
}

/** A script that completes commands and options; load it in the shell's own way. */
export function completionScript(program: Command, shell: Shell): string {
  const paths = tree(program)
  const cases = [...paths].map(([path, words]) => `    '${path}') printf '%s' '${words.join(' ')}' ;;`).join('\n')
  const known = [...paths.keys()].filter((path) => path !== '').map((path) => `'${path}'`)
  // Words that lead nowhere are options, their values and arguments.
  const lookup = `_kmsctl_words() {
  local path='' word
  for word in "$@"; do
    case "\${path:+$path }$word" in
      ${known.join('|')}) path="\${path:+$path }$word" ;;
    esac
  done
  case "$path" in
${cases}
  esac
}`
  if (shell === 'bash') {
    return `${lookup}
_kmsctl() {
  COMPREPLY=($(compgen -W "$(_kmsctl_words "\${COMP_WORDS[@]:1:COMP_CWORD-1}")" -- "\${COMP_WORDS[COMP_CWORD]}"))
}
complete -o default -F _kmsctl kmsctl
`
  }
  if (shell === 'zsh') {
    return `#compdef kmsctl
${lookup}
_kmsctl() {
  local -a found
  found=(\${=$(_kmsctl_words "\${(@)words[2,CURRENT-1]}")})
  compadd -- $found
}
compdef _kmsctl kmsctl
`
  }
  const lines = [...paths].map(([path, words]) => {
    const seen =
      path === '' ? '__fish_use_subcommand' : `string match -q -- "kmsctl ${path}" (string join " " (commandline -opc))`
    return `complete -c kmsctl -n '${seen}' -a '${words.join(' ')}'`
  })
  return `complete -c kmsctl -f\n${lines.join('\n')}\n`
}
