/**
 * Names of policies: AWS's characters but the comma, which separates names where several are given, and none of them
 * blank. 1–128 characters.
 */
export function isPolicyName(name: string): boolean {
  return /^[\w+=.@-]{1,128}$/.test(name)
}

/** The rule in words, to follow "must be". */
export const POLICY_NAME_RULE = '1 to 128 of A-Z a-z 0-9 _ + = . @ -'
